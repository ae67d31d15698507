import { setTimeout as delay } from 'node:timers/promises';
import type { GetResource } from '../../kbs-client/resource-servers.ts';
import { writeCredential } from './credential-path.ts';

/** A resource that is written into the guest when the hub starts, for whoever cannot ask the hub. */
export interface Credential {
  readonly path: string;
  readonly resourceUri: string;
}

export interface CredentialFetchOptions {
  readonly getResource: GetResource;
  readonly folder?: string | undefined;
  /** Hears of each failure: the credential, by its place in the configuration, and why. */
  readonly onFailure: (index: number, error: unknown) => void;
  readonly firstPauseMilliseconds?: number;
}

export interface CredentialFetch {
  /** Settles when all credentials are there, or `close` was called. */
  readonly done: Promise<void>;
  close(): void;
}

const FIRST_PAUSE_MILLISECONDS = 1_000;
const MOST_PAUSE_MILLISECONDS = 60_000;

/**
 * Fetches credentials beside what else the hub does, each until it is there: a key broker that is away, or that has not
 * got its policy yet, does not keep the hub from its other work.
 */
export function startCredentialFetch(
  credentials: readonly Credential[],
  options: CredentialFetchOptions,
): CredentialFetch {
  const controller = new AbortController();
  const fetches = credentials.map(async (credential, index) => {
    await fetchUntilThere(credential, index, options, controller.signal);
  });
  return {
    done: Promise.all(fetches).then(() => undefined),
    close() {
      controller.abort();
    },
  };
}

async function fetchUntilThere(
  { path, resourceUri }: Credential,
  index: number,
  options: CredentialFetchOptions,
  signal: AbortSignal,
): Promise<void> {
  let pause = options.firstPauseMilliseconds ?? FIRST_PAUSE_MILLISECONDS;
  while (!signal.aborted) {
    try {
      const content = await options.getResource(resourceUri);
      await writeCredential(path, content, options.folder);
      return;
    } catch (error) {
      options.onFailure(index, error);
    }
    await pauseFor(pause * (0.5 + Math.random()), signal);
    pause = Math.min(MOST_PAUSE_MILLISECONDS, pause * 2);
  }
}

/** Ends early when there is nothing to wait for any more. */
async function pauseFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
