import { createCipheriv, randomBytes } from 'node:crypto';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSignedSecret } from '../../../../agent/data-hub/sealed-secret/compact-form.ts';
import { parseSecretPayload } from '../../../../agent/data-hub/sealed-secret/secret-payload.ts';
import { parseResourceUri } from '../../../../agent/resource-uri.ts';
import { CodedError } from '../../../../server/errors/coded-error.ts';
import { fakeSealedSecret, VAULT } from '../../../fakes/fake-secrets.ts';
import { owner, stranger, useUnseal } from '../../../harness/sealed-secrets.ts';

const guest = useUnseal();

function encrypt(wrapType: 'A256GCM' | 'A256CTR', key: Uint8Array, iv: Uint8Array): Buffer {
  const text = 'in an envelope';
  if (wrapType === 'A256CTR') return createCipheriv('aes-256-ctr', key, iv).update(text);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function envelope(wrapType: 'A256GCM' | 'A256CTR', changes: object = {}): object {
  const key = randomBytes(32);
  const iv = randomBytes(wrapType === 'A256GCM' ? 12 : 16);
  const encryptedData = encrypt(wrapType, key, iv);
  return {
    version: '0.1.0',
    type: 'envelope',
    key_id: 'key',
    encrypted_key: Buffer.from(key.map((byte) => byte ^ 0xff)).toString('base64'),
    encrypted_data: encryptedData.toString('base64'),
    wrap_type: wrapType,
    iv: iv.toString('base64'),
    provider: 'turning',
    provider_settings: { region: 'x' },
    annotations: { context: 'y' },
    ...changes,
  };
}

describe('what opens', () => {
  test('the name of a resource', async () => {
    expect(await guest.unseal(fakeSealedSecret(owner))).toBe('the secret');
  });

  test('settings and annotations are optional (C5), and providers are known in any case', async () => {
    const payload = { version: '0.1.0', type: 'vault', name: VAULT.name, provider: 'KBS' };
    expect(await guest.unseal(fakeSealedSecret(owner, { payload }))).toBe('the secret');
  });

  test.each(['A256GCM', 'A256CTR'] as const)('an envelope under %s', async (wrapType) => {
    expect(await guest.unseal(fakeSealedSecret(owner, { payload: envelope(wrapType) }))).toBe(
      'in an envelope',
    );
  });

  test('a header as upstream’s tool writes it', async () => {
    const header = { b64: true, alg: 'ES256', kid: 'owner' };
    expect(await guest.unseal(fakeSealedSecret(owner, { header }))).toBe('the secret');
  });

  test('a key that is a resource, where the configuration allows it', async () => {
    const header = { alg: 'ES256', kid: 'kbs:///default/keys/owner' };
    const resources = [parseResourceUri('kbs:///default/keys')];
    expect(await guest.unseal(fakeSealedSecret(owner, { header }), { resources })).toBe('the secret');
  });

  test('a link within the folder of keys, as in Kubernetes’ volumes', async () => {
    symlinkSync('owner', join(guest.folder, 'keys', 'linked'));
    const header = { alg: 'ES256', kid: 'linked' };
    expect(await guest.unseal(fakeSealedSecret(owner, { header }))).toBe('the secret');
  });
});

const good = fakeSealedSecret(owner);

/** Everything is right but this. */
const REFUSALS: readonly (readonly [string, string, () => string])[] = [
  ['no prefix: a bare JWS (C4)', 'SEALED_SECRET_MALFORMED', () => good.slice('sealed.'.length)],
  ['the prefix twice (C4)', 'SEALED_SECRET_MALFORMED', () => `sealed.${good}`],
  ['a prefix in other letters', 'SEALED_SECRET_MALFORMED', () => good.replace('sealed', 'Sealed')],
  ['a part too few', 'SEALED_SECRET_MALFORMED', () => good.slice(0, good.lastIndexOf('.'))],
  ['a part too many', 'SEALED_SECRET_MALFORMED', () => `${good}.AAAA`],
  ['a signature with padding', 'SEALED_SECRET_MALFORMED', () => `${good}==`],
  ['a signature in DER', 'SEALED_SECRET_MALFORMED', () => fakeSealedSecret(owner, { der: true })],
  ['too long a text', 'SEALED_SECRET_MALFORMED', () => good + 'A'.repeat(1 << 20)],
  ['bytes that are no text', 'SEALED_SECRET_MALFORMED', () => `${good}\ud800`],
  [
    'a header that is no JSON',
    'SEALED_SECRET_HEADER_MALFORMED',
    () => fakeSealedSecret(owner, { header: 'x' }),
  ],
  [
    'the header of old tools',
    'SEALED_SECRET_HEADER_MALFORMED',
    () => `sealed.fakejwsheader.${good.split('.')[2]!}.fakesignature`,
  ],
  ...headers([
    ['no kid', 'SEALED_SECRET_HEADER_MALFORMED', { alg: 'ES256' }],
    ['no alg', 'SEALED_SECRET_HEADER_MALFORMED', { kid: 'owner' }],
    ['crit', 'SEALED_SECRET_HEADER_MALFORMED', { alg: 'ES256', kid: 'owner', crit: ['exp'], exp: 1 }],
    [
      'a payload that is not base64url',
      'SEALED_SECRET_HEADER_MALFORMED',
      { alg: 'ES256', kid: 'owner', b64: false },
    ],
    [
      'a key of its own',
      'SEALED_SECRET_HEADER_MALFORMED',
      { alg: 'ES256', kid: 'owner', jwk: owner.publicJwk },
    ],
    ['alg none', 'SEALED_SECRET_ALGORITHM_UNSUPPORTED', { alg: 'none', kid: 'owner' }],
    ['alg HS256', 'SEALED_SECRET_ALGORITHM_UNSUPPORTED', { alg: 'HS256', kid: 'owner' }],
    ['alg ES384', 'SEALED_SECRET_ALGORITHM_UNSUPPORTED', { alg: 'ES384', kid: 'owner' }],
  ]),
  ['a key of somebody else', 'SEALED_SECRET_SIGNATURE_INVALID', () => fakeSealedSecret(stranger)],
  [
    'a kid that is not there',
    'SIGNING_KEY_NOT_FOUND',
    () => fakeSealedSecret(owner, { header: { alg: 'ES256', kid: 'nobody' } }),
  ],
];

function headers(rows: readonly (readonly [string, string, object])[]): typeof REFUSALS {
  return rows.map(([what, code, header]) => [
    `a header with ${what}`,
    code,
    () => fakeSealedSecret(owner, { header }),
  ]);
}

describe('what is refused before anything is asked for', () => {
  test.each(REFUSALS)('%s: %s', async (_what, code, secret) => {
    await expect(guest.unseal(secret())).rejects.toMatchObject({ code });
    expect(guest.asked).toEqual([]);
  });

  test.each([
    ['another header', 1],
    ['another payload', 2],
    ['another signature', 3],
  ])('a bit of %s', async (_what, part) => {
    const parts = good.split('.');
    const bytes = Buffer.from(parts[part]!, 'base64url');
    bytes[bytes.length - 2]! ^= 1;
    parts[part] = bytes.toString('base64url');
    await expect(guest.unseal(parts.join('.'))).rejects.toBeInstanceOf(CodedError);
    expect(guest.asked).toEqual([]);
  });

  test('a payload of one secret under the signature of another', async () => {
    const other = fakeSealedSecret(owner, { payload: { ...VAULT, name: 'kbs:///default/secret/two' } });
    const [prefix, header, , signature] = good.split('.');
    const mixed = [prefix, header, other.split('.')[2], signature].join('.');
    await expect(guest.unseal(mixed)).rejects.toMatchObject({ code: 'SEALED_SECRET_SIGNATURE_INVALID' });
  });
});

describe('what was signed, and is not opened', () => {
  test.each<[string, string, object | string]>([
    ['no JSON', 'SEALED_SECRET_PAYLOAD_MALFORMED', 'x'],
    ['no version', 'SEALED_SECRET_PAYLOAD_MALFORMED', { ...VAULT, version: undefined }],
    ['another version', 'SEALED_SECRET_VERSION_UNSUPPORTED', { ...VAULT, version: '0.2.0' }],
    ['another type', 'SEALED_SECRET_TYPE_UNSUPPORTED', { ...VAULT, type: 'file' }],
    ['no name', 'SEALED_SECRET_PAYLOAD_MALFORMED', { ...VAULT, name: undefined }],
    ['an unknown member', 'SEALED_SECRET_PAYLOAD_MALFORMED', { ...VAULT, also: 'this' }],
    ['a name that is no resource', 'RESOURCE_URI_PATH_REFUSED', { ...VAULT, name: 'kbs:///a/../b' }],
    ['an unknown provider', 'PROVIDER_UNKNOWN', { ...VAULT, provider: 'nobody' }],
    ['a provider that keeps nothing', 'PROVIDER_CANNOT_GET', { ...VAULT, provider: 'turning' }],
    ['a provider that decrypts nothing', 'PROVIDER_CANNOT_DECRYPT', envelope('A256GCM', { provider: 'kbs' })],
    ['an envelope without IV', 'SEALED_SECRET_PAYLOAD_MALFORMED', envelope('A256GCM', { iv: undefined })],
    ['an IV that is not base64', 'SEALED_SECRET_PAYLOAD_MALFORMED', envelope('A256GCM', { iv: '_' })],
    ['an IV of another length', 'CONTENT_IV_LENGTH_WRONG', envelope('A256GCM', { iv: 'AAAA' })],
    ['another cipher', 'SEALED_SECRET_PAYLOAD_MALFORMED', envelope('A256GCM', { wrap_type: 'A128GCM' })],
    ['a key of another length', 'CONTENT_KEY_LENGTH_WRONG', envelope('A256GCM', { encrypted_key: 'AAAA' })],
    ['content without its tag', 'CONTENT_TRUNCATED', envelope('A256GCM', { encrypted_data: 'AAAA' })],
    ['other content', 'CONTENT_TAMPERED', envelope('A256GCM', { encrypted_data: 'A'.repeat(40) })],
  ])('%s: %s', async (_what, code, payload) => {
    await expect(guest.unseal(fakeSealedSecret(owner, { payload }))).rejects.toMatchObject({ code });
  });

  test('an unknown provider is named, and so are the known ones', async () => {
    const secret = fakeSealedSecret(owner, { payload: { ...VAULT, provider: 'ehsm' } });
    await expect(guest.unseal(secret)).rejects.toThrow(
      "Unsupported provider: expected one of kbs, turning, got 'ehsm'",
    );
  });
});

describe('without verification', () => {
  test('header and signature are not looked at', async () => {
    expect(await guest.unsealUnverified(`sealed.fakejwsheader.${good.split('.')[2]!}.fakesignature`)).toBe(
      'the secret',
    );
  });

  test.each([
    ['no prefix (C4)', good.slice('sealed.'.length)],
    ['the prefix twice (C4)', `sealed.sealed.${good.split('.')[2]!}.x`],
    ['a part too many', `${good}.x`],
    ['a payload that is not base64url', 'sealed.a.b=.c'],
  ])('%s is refused all the same', async (_what, secret) => {
    await expect(guest.unsealUnverified(secret)).rejects.toMatchObject({ code: 'SEALED_SECRET_MALFORMED' });
  });
});

describe('properties', () => {
  test('no text makes a reader throw anything but our errors', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `sealed.${text}`),
        ),
        (text) => {
          try {
            parseSignedSecret(text);
          } catch (error) {
            expect(error).toBeInstanceOf(CodedError);
          }
        },
      ),
    );
  });

  test('no payload makes a reader throw anything but our errors', () => {
    const json = fc.json().map((text) => Buffer.from(text));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), json), (payload) => {
        try {
          parseSecretPayload(payload);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });

  test('no truncation opens', async () => {
    for (let length = 0; length < good.length; length++) {
      await expect(guest.unseal(good.slice(0, length))).rejects.toBeInstanceOf(CodedError);
    }
    expect(guest.asked).toEqual([]);
  });
});
