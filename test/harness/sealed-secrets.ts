import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { createKbsDriver } from '../../agent/data-hub/kms/kbs/kbs-driver.ts';
import type { KmsDriver, KmsDrivers } from '../../agent/data-hub/kms/kms.ts';
import { createUnseal } from '../../agent/data-hub/sealed-secret/unseal.ts';
import {
  createVerificationKeys,
  type VerificationKeyOptions,
} from '../../agent/data-hub/sealed-secret/verification-keys.ts';
import type { GetResource } from '../../agent/kbs-client/resource-servers.ts';
import { formatResourceUri, parseResourceUri } from '../../agent/resource-uri.ts';
import { fakeSecretSigner } from '../fakes/fake-secrets.ts';

export const owner = fakeSecretSigner();
export const stranger = fakeSecretSigner();

const RESOURCES: Readonly<Record<string, string>> = {
  'kbs:///default/secret/one': 'the secret',
  'kbs:///default/keys/owner': JSON.stringify(owner.publicJwk),
  'kbs:///default/keys2/stranger': JSON.stringify(stranger.publicJwk),
};

/** A service that "encrypts" by turning every bit, and wants settings and an annotation. */
const turning: KmsDriver = {
  createDecrypter: async (settings) => ({
    decrypt: async (ciphertext, keyId, annotations) => {
      expect([settings, keyId, annotations]).toEqual([{ region: 'x' }, 'key', { context: 'y' }]);
      return ciphertext.map((byte) => byte ^ 0xff);
    },
  }),
};

export interface UnsealUnderTest {
  readonly folder: string;
  /** The resources that were asked for. */
  readonly asked: readonly string[];
  writeKey(kid: string, jwk: object | string): void;
  unseal(secret: string, keys?: Partial<VerificationKeyOptions>): Promise<string>;
  unsealUnverified(secret: string): Promise<string>;
}

/** A guest that unseals what `owner` signs, with a folder of keys of its own for each test of a file. */
export function useUnseal(): UnsealUnderTest {
  let folder: string;
  const asked: string[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealed-'));
    mkdirSync(join(folder, 'keys'));
    asked.length = 0;
    writeKey('owner', owner.publicJwk);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function writeKey(kid: string, jwk: object | string): void {
    writeFileSync(join(folder, 'keys', kid), typeof jwk === 'string' ? jwk : JSON.stringify(jwk));
  }

  const getResource: GetResource = async (name) => {
    const uri = formatResourceUri(typeof name === 'string' ? parseResourceUri(name) : name);
    asked.push(uri);
    const found = RESOURCES[uri];
    if (found === undefined) throw new Error('expected a resource that the test has');
    return Uint8Array.from(Buffer.from(found));
  };
  const drivers: KmsDrivers = new Map([
    ['kbs', createKbsDriver(getResource)],
    ['turning', turning],
  ]);

  return {
    get folder() {
      return folder;
    },
    asked,
    writeKey,
    async unseal(secret, keys = {}) {
      const verificationKeys = createVerificationKeys({
        folder: join(folder, 'keys'),
        resources: [],
        getResource,
        ...keys,
      });
      const opened = await createUnseal({ verificationKeys, drivers })(Buffer.from(secret));
      return Buffer.from(opened).toString();
    },
    async unsealUnverified(secret) {
      const opened = await createUnseal({ verificationKeys: 'dangerously-skip', drivers })(
        Buffer.from(secret),
      );
      return Buffer.from(opened).toString();
    },
  };
}
