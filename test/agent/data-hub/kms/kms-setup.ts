import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  type Annotations,
  createDecrypter,
  createEncrypter,
  createGetter,
  type EncryptedKey,
  type KmsErrorCode,
  type ProviderSettings,
} from '../../../../agent/data-hub/kms/kms.ts';
import { createKmsDrivers, type KmsDriverOptions } from '../../../../agent/data-hub/kms/kms-drivers.ts';
import type { AttemptOptions } from '../../../../agent/http/attempts.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import type { FakeKmsMood } from '../../../fakes/kms-moods.ts';

export const AT = new Date('2026-06-01T00:00:00Z');
export const FAST: AttemptOptions = {
  deadlineMilliseconds: 2_000,
  attemptMilliseconds: 250,
  retries: 1,
  firstPauseMilliseconds: 1,
};
export const KEY = new Uint8Array(32).fill(7);

/** A guest with a folder of credentials, and what secrets have done with its drivers. */
export interface KmsGuest {
  readonly folder: string;
  /** Moves the guest's clock. */
  pass(seconds: number): void;
  credential(provider: string, file: string, content: object | string): Promise<void>;
  decrypt(encrypted: EncryptedKey, settings: ProviderSettings, signal?: AbortSignal): Promise<Uint8Array>;
  encrypt(keyId: string, settings: ProviderSettings, annotations?: Annotations): Promise<EncryptedKey>;
  get(name: string, settings: ProviderSettings, annotations?: Annotations): Promise<string>;
  close(): Promise<void>;
}

export async function createKmsGuest(
  provider: string,
  options: Partial<KmsDriverOptions> = {},
): Promise<KmsGuest> {
  const folder = await mkdtemp(join(tmpdir(), 'verigo-kms-'));
  let now = AT;
  const drivers = createKmsDrivers({
    userAgent: 'verigo-cdh/test',
    clock: () => now,
    credentialFolder: folder,
    attempts: FAST,
    ...options,
  });
  return {
    folder,
    pass(seconds) {
      now = new Date(now.getTime() + seconds * 1000);
    },
    async credential(of, file, content) {
      await mkdir(join(folder, of), { recursive: true });
      await writeFile(
        join(folder, of, file),
        typeof content === 'string' ? content : JSON.stringify(content),
      );
    },
    async decrypt({ ciphertext, keyId, annotations }, settings, signal) {
      const decrypter = await createDecrypter(drivers, provider, settings);
      return Uint8Array.from(await decrypter.decrypt(ciphertext, keyId, annotations, signal));
    },
    async encrypt(keyId, settings, annotations = {}) {
      return await (await createEncrypter(drivers, provider, settings)).encrypt(KEY, keyId, annotations);
    },
    async get(name, settings, annotations = {}) {
      const bytes = await (await createGetter(drivers, provider, settings)).getSecret(name, annotations);
      return Buffer.from(bytes).toString();
    },
    async close() {
      await rm(folder, { recursive: true });
    },
  };
}

/** What runs against a service that misbehaves. */
export interface Misbehaving {
  readonly mood: (mood: FakeKmsMood, times?: number) => void;
  readonly requests: () => number;
  readonly run: () => Promise<unknown>;
  /** Where the guest has a token of the service: it asks for another one, at the same service. */
  readonly renewsToken: boolean;
  /** Nothing of it may be in an error: credentials, keys, and the service's own words. */
  readonly secrets: readonly string[];
}

const FAILURES: readonly (readonly [FakeKmsMood, KmsErrorCode, number])[] = [
  [401, 'KMS_DENIED', 1],
  [403, 'KMS_DENIED', 1],
  [404, 'KMS_NOT_FOUND', 1],
  [400, 'KMS_REQUEST_REFUSED', 1],
  [429, 'KMS_UNAVAILABLE', 2],
  [500, 'KMS_UNAVAILABLE', 2],
  [503, 'KMS_UNAVAILABLE', 2],
  ['hangs', 'KMS_UNAVAILABLE', 2],
  ['breaks', 'KMS_UNAVAILABLE', 2],
  ['garbage', 'KMS_ANSWER_MALFORMED', 1],
  ['empty', 'KMS_ANSWER_MALFORMED', 1],
  ['huge', 'KMS_ANSWER_MALFORMED', 1],
  ['redirect', 'KMS_UNTRUSTED', 1],
];

/** The same of every service over HTTP, as soon as the guest has its token. */
export function itFailsAsItsServiceDoes(misbehaving: () => Misbehaving): void {
  it.each(FAILURES)('a service that answers %s: %s after %i requests', async (mood, code, requests) => {
    const service = misbehaving();
    await service.run(); // what is kept is there
    const before = service.requests();
    service.mood(mood);
    const error = await failureOf(service.run);
    expect(error).toMatchObject({ name: 'KmsError', code });
    const renewals = service.renewsToken && code === 'KMS_DENIED' ? 1 : 0;
    expect(service.requests() - before).toBe(requests + renewals);
    for (const secret of [...service.secrets, 'may repeat a secret']) {
      expect(textOf(error)).not.toContain(secret);
    }
  });

  it('a service that failed once is asked again', async () => {
    const service = misbehaving();
    await service.run();
    service.mood(503, 1);
    await service.run();
  });
}

export async function failureOf(run: () => Promise<unknown>): Promise<Error> {
  try {
    await run();
  } catch (error) {
    if (isCodedError(error)) return error;
    throw error;
  }
  throw new Error('expected a failure, got none');
}

/** With everything that a log would show of it. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return `${error.message} ${JSON.stringify(error)} ${textOf(error.cause)}`;
}
