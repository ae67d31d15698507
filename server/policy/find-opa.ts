import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { buildOpa, pinnedVersion } from './build-opa.ts';
import { type Opa, openOpa } from './opa.ts';
import { PolicyError } from './policy.ts';

export interface OpaSettings {
  /** What the operator configured (VERIGO_OPA). When set, nothing else is tried. */
  readonly configuredPath: string | undefined;
  /** PATH, HOME, XDG_CACHE_HOME and what Go needs to fetch modules are read from here; nothing else is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Hears, line by line, about a build that takes a minute. */
  readonly onProgress: (line: string) => void;
}

/** Resolves to a usable OPA 1.x. Throws PolicyError POLICY_COMPILER_UNAVAILABLE. */
export type FindOpa = () => Promise<Opa>;

/**
 * Looks for OPA when it is first needed: the configured one, else `opa` on the PATH, else the one that was built
 * before into the user's cache folder, else builds that one with Go. A failure is not kept: the next call looks again.
 */
export function createOpaFinder(settings: OpaSettings): FindOpa {
  let found: Promise<Opa> | undefined;
  return async () => {
    found ??= findOpa(settings).catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return await found;
  };
}

async function findOpa(settings: OpaSettings): Promise<Opa> {
  const { configuredPath, environment } = settings;
  if (configuredPath !== undefined) {
    const configured = await openOpa(configuredPath);
    if (configured === undefined) throw unavailable('the configured OPA (VERIGO_OPA) is not OPA 1.x');
    return configured;
  }
  const installed = await onPath('opa', environment);
  const usable = installed === undefined ? undefined : await openOpa(installed);
  return usable ?? (await findBuilt(settings));
}

async function findBuilt(settings: OpaSettings): Promise<Opa> {
  const { environment, onProgress } = settings;
  const cache = cacheFolder(environment);
  if (cache === undefined) throw unavailable('there is no OPA on the PATH and no HOME to keep one in');
  const version = await pinnedVersion();
  const path = join(cache, 'verigo', `opa-${version}`, 'opa');
  const built = await openOpa(path);
  if (built !== undefined) return built;
  const go = await onPath('go', environment);
  if (go === undefined) throw unavailable('there is neither OPA 1.x nor Go on the PATH');
  await buildOpa({ go, version, path, environment, onProgress });
  const opa = await openOpa(path);
  if (opa === undefined) throw unavailable('the OPA that was built with Go does not run');
  return opa;
}

function cacheFolder(environment: OpaSettings['environment']): string | undefined {
  const { XDG_CACHE_HOME: cache, HOME: home } = environment;
  if (cache !== undefined && cache !== '') return cache;
  return home === undefined || home === '' ? undefined : join(home, '.cache');
}

async function onPath(name: string, environment: OpaSettings['environment']): Promise<string | undefined> {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of folders) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function unavailable(why: string): PolicyError {
  return new PolicyError(
    'POLICY_COMPILER_UNAVAILABLE',
    `expected a policy compiler, but ${why}: install OPA 1.x on the PATH or set VERIGO_OPA to it, or install Go so that it can be built`,
  );
}
