import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PolicyError } from './policy.ts';

const MODULE = 'github.com/open-policy-agent/opa';
/** The folder with the go.mod and go.sum that pin OPA. They are not compiled, so `dist/` has no copy of them. */
const PIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './opa/' : '../../../server/policy/opa/', import.meta.url),
);
const BUILD_TIMEOUT_MS = 15 * 60 * 1000;

/** What a Go build may see: where it keeps things, and how it reaches the module proxy. */
const GO_ENVIRONMENT = [
  'HOME',
  'PATH',
  'TMPDIR',
  'GOPATH',
  'GOCACHE',
  'GOMODCACHE',
  'GOPROXY',
  'GONOPROXY',
  'GOPRIVATE',
  'GOSUMDB',
  'GONOSUMDB',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
] as const;

export interface OpaBuild {
  readonly go: string;
  readonly version: string;
  /** Where the program goes. */
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onProgress: (line: string) => void;
}

/** The version that go.mod requires, without its `v`. */
export async function pinnedVersion(): Promise<string> {
  const pin = await readFile(`${PIN}go.mod`, 'utf8');
  const version = new RegExp(`^\\s*${MODULE.replaceAll('.', '\\.')} v(\\S+)`, 'm').exec(pin)?.[1];
  if (version === undefined) throw new Error(`expected go.mod to require ${MODULE}`);
  return version;
}

/**
 * Builds the pinned OPA from source, verified against go.sum. The program appears under `path` in one step, so that
 * two processes that build at once both end with a whole one.
 * Throws PolicyError POLICY_COMPILER_UNAVAILABLE.
 */
export async function buildOpa(build: OpaBuild): Promise<void> {
  const { go, version, path, environment, onProgress } = build;
  const unfinished = `${path}.${randomUUID()}`;
  await mkdir(dirname(path), { recursive: true });
  onProgress(`building the policy compiler, OPA ${version}, with Go: about a minute, once on this machine`);
  try {
    await runGo(
      go,
      ['build', '-mod=readonly', '-trimpath', '-o', unfinished, MODULE],
      environment,
      onProgress,
    );
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
  onProgress(`built OPA ${version}`);
}

async function runGo(
  go: string,
  args: readonly string[],
  environment: OpaBuild['environment'],
  onProgress: OpaBuild['onProgress'],
): Promise<void> {
  const env: Record<string, string> = { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-buildvcs=false' };
  for (const name of GO_ENVIRONMENT) {
    const value = environment[name];
    if (value !== undefined) env[name] = value;
  }
  const child = spawn(go, args, {
    cwd: PIN,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: BUILD_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  let last = '';
  createInterface({ input: child.stderr }).on('line', (line) => {
    last = line;
    onProgress(line);
  });
  await once(child, 'close').catch((cause: unknown) => {
    throw new PolicyError('POLICY_COMPILER_UNAVAILABLE', 'expected Go to run, but it did not start', {
      cause,
    });
  });
  if (child.exitCode !== 0) {
    throw new PolicyError(
      'POLICY_COMPILER_UNAVAILABLE',
      `expected Go to build OPA, but it failed: ${last.slice(0, 300)}; install OPA 1.x or set VERIGO_OPA`,
    );
  }
}
