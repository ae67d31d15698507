import { constants, createPublicKey, generateKeyPairSync, publicEncrypt } from 'node:crypto';
import fc from 'fast-check';
import { FlattenedEncrypt, importJWK, type JWK } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { openSealed } from '../../../agent/tee-key/open-sealed.ts';
import {
  createTeeKey,
  TEE_KEY_ALGORITHMS,
  type TeeKey,
  type TeeKeyAlgorithm,
} from '../../../agent/tee-key/tee-key.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { seal } from '../../../server/kbs/seal.ts';
import type { SealedResource } from '../../../server/protocol/sealed-resource.ts';
import { parseTeePublicKey } from '../../../server/token/tee-public-key.ts';

const CONTENT = Buffer.from('the passphrase of a disk');
const keys = new Map<TeeKeyAlgorithm, TeeKey>();
let sealed: ReadonlyMap<TeeKeyAlgorithm, SealedResource>;

beforeAll(async () => {
  for (const algorithm of TEE_KEY_ALGORITHMS) keys.set(algorithm, await createTeeKey(algorithm));
  sealed = new Map(
    await Promise.all([...keys].map(async ([name, key]) => [name, await sealedTo(key)] as const)),
  );
});

function keyOf(algorithm: TeeKeyAlgorithm = 'ECDH-ES+A256KW-P256'): TeeKey {
  return keys.get(algorithm)!;
}

function sealedFor(algorithm: TeeKeyAlgorithm = 'ECDH-ES+A256KW-P256'): SealedResource {
  return sealed.get(algorithm)!;
}

async function sealedTo(key: TeeKey): Promise<SealedResource> {
  return await seal(CONTENT, parseTeePublicKey(key.publicJwk));
}

/** As another implementation seals, jose's; with members of the header that only it writes. */
async function sealedByJose(key: TeeKey, partyInfo?: string): Promise<SealedResource> {
  const encrypt = new FlattenedEncrypt(CONTENT).setProtectedHeader({
    // An order and members that are not our server's.
    enc: 'A256GCM',
    alg: key.publicJwk['alg'] as string,
  });
  if (partyInfo !== undefined) {
    encrypt.setKeyManagementParameters({ apu: Buffer.from(partyInfo), apv: Buffer.from('v') });
  }
  return (await encrypt.encrypt(await importJWK(key.publicJwk as JWK))) as SealedResource;
}

function withHeader(
  resource: SealedResource,
  change: (header: Record<string, unknown>) => void,
): SealedResource {
  const header = JSON.parse(Buffer.from(resource.protected, 'base64url').toString()) as Record<
    string,
    unknown
  >;
  change(header);
  return { ...resource, protected: Buffer.from(JSON.stringify(header)).toString('base64url') };
}

describe.each(TEE_KEY_ALGORITHMS)('%s', (algorithm) => {
  test('opens what our key broker seals, and what jose seals', async () => {
    expect(Buffer.from(await openSealed(sealedFor(algorithm), keyOf(algorithm)))).toEqual(CONTENT);
    const other = await sealedByJose(keyOf(algorithm));
    expect(Buffer.from(await openSealed(other, keyOf(algorithm)))).toEqual(CONTENT);
  });

  test('a resource sealed to another key is not opened', async () => {
    await expect(openSealed(sealedFor(algorithm), await createTeeKey(algorithm))).rejects.toMatchObject({
      code: 'SEALED_TO_OTHER_KEY',
    });
  });

  test('a changed tag, ciphertext or vector is noticed', async () => {
    for (const member of ['tag', 'ciphertext', 'iv'] as const) {
      const bytes = Buffer.from(sealedFor(algorithm)[member], 'base64url');
      bytes[0]! ^= 1;
      const changed = { ...sealedFor(algorithm), [member]: bytes.toString('base64url') };
      await expect(openSealed(changed, keyOf(algorithm))).rejects.toMatchObject({
        code: 'SEALED_CONTENT_TAMPERED',
      });
    }
  });

  test('the header counts as it came: the same members in another order are another header', async () => {
    const changed = withHeader(sealedFor(algorithm), (header) => {
      const { alg } = header;
      delete header['alg'];
      header['alg'] = alg;
    });
    await expect(openSealed(changed, keyOf(algorithm))).rejects.toMatchObject({
      code: 'SEALED_CONTENT_TAMPERED',
    });
  });
});

test('what the parties say of themselves takes part in the agreement (RFC 7518, appendix C)', async () => {
  const resource = await sealedByJose(keyOf(), 'Alice');
  expect(Buffer.from(await openSealed(resource, keyOf()))).toEqual(CONTENT);
});

test.each(['P-256', 'P-521'] as const)(
  'a wrapped key that is too short or too long on %s has a code (K4)',
  async (curve) => {
    const algorithm = curve === 'P-256' ? 'ECDH-ES+A256KW-P256' : 'ECDH-ES+A256KW-P521';
    for (const length of [0, 1, 7, 8, 39, 41]) {
      const short = { ...sealedFor(algorithm), encrypted_key: Buffer.alloc(length).toString('base64url') };
      await expect(openSealed(short, keyOf(algorithm))).rejects.toMatchObject({
        code: 'SEALED_KEY_LENGTH_WRONG',
      });
    }
  },
);

describe('RSA', () => {
  const reseal = (oaepHash: string, contentKey: Uint8Array): SealedResource => {
    const key = createPublicKey({ key: keyOf('RSA-OAEP-256').publicJwk, format: 'jwk' });
    return {
      ...sealedFor('RSA-OAEP-256'),
      encrypted_key: publicEncrypt(
        { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash },
        contentKey,
      ).toString('base64url'),
    };
  };

  test('OAEP is with SHA-256: what was padded with SHA-1 is not opened (K3)', async () => {
    const resource = reseal('sha1', Buffer.alloc(32));
    await expect(openSealed(resource, keyOf('RSA-OAEP-256'))).rejects.toMatchObject({
      code: 'SEALED_TO_OTHER_KEY',
    });
  });

  test('a content key of another length has a code', async () => {
    const resource = reseal('sha256', Buffer.alloc(16));
    await expect(openSealed(resource, keyOf('RSA-OAEP-256'))).rejects.toMatchObject({
      code: 'SEALED_KEY_LENGTH_WRONG',
    });
  });
});

const elsewhere = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'jwk' });

test.each<[string, string, (header: Record<string, unknown>) => void]>([
  ['another curve', 'SEALED_ON_OTHER_CURVE', (header) => (header['epk'] = elsewhere)],
  [
    'a point that is not on the curve',
    'SEALED_EPHEMERAL_KEY_INVALID',
    (header) => {
      header['epk'] = { ...(header['epk'] as object), y: Buffer.alloc(32, 1).toString('base64url') };
    },
  ],
  ['no ephemeral key', 'SEALED_HEADER_MALFORMED', (header) => delete header['epk']],
  ['RSA 1.5', 'SEALED_BY_OTHER_ALGORITHM', (header) => (header['alg'] = 'RSA1_5')],
  ['ML-KEM', 'SEALED_BY_OTHER_ALGORITHM', (header) => (header['alg'] = 'ML-KEM-768+A192KW')],
  [
    'the algorithm of another key',
    'SEALED_BY_OTHER_ALGORITHM',
    (header) => {
      delete header['epk'];
      header['alg'] = 'RSA-OAEP-256';
    },
  ],
  ['other content encryption', 'SEALED_ENCRYPTION_UNSUPPORTED', (header) => (header['enc'] = 'A128GCM')],
  ['a critical member', 'SEALED_HEADER_MALFORMED', (header) => (header['crit'] = ['exp'])],
  ['compression', 'SEALED_HEADER_MALFORMED', (header) => (header['zip'] = 'DEF')],
  ['no algorithm', 'SEALED_HEADER_MALFORMED', (header) => delete header['alg']],
])('refuses %s with %s', async (_what, code, change) => {
  await expect(openSealed(withHeader(sealedFor(), change), keyOf())).rejects.toMatchObject({ code });
});

test('a resource on a curve is not for an RSA key', async () => {
  await expect(openSealed(sealedFor(), keyOf('RSA-OAEP-256'))).rejects.toMatchObject({
    code: 'SEALED_BY_OTHER_ALGORITHM',
  });
});

test.each([
  ['a header that is not JSON', 'SEALED_HEADER_MALFORMED', { protected: 'AAAA' }],
  ['a header that is far too long', 'SEALED_HEADER_MALFORMED', { protected: 'A'.repeat(5000) }],
  ['a short vector', 'SEALED_CONTENT_MALFORMED', { iv: 'AAAA' }],
  ['a short tag', 'SEALED_CONTENT_MALFORMED', { tag: 'AAAA' }],
  ['a ciphertext with stray bits', 'SEALED_CONTENT_MALFORMED', { ciphertext: 'AB' }],
])('refuses %s with %s', async (_what, code, change) => {
  await expect(openSealed({ ...sealedFor(), ...change }, keyOf())).rejects.toMatchObject({ code });
});

test('whatever is changed, nothing opens, and only our errors come', async () => {
  const members = ['protected', 'encrypted_key', 'iv', 'ciphertext', 'tag'] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...members),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (member, at, mask) => {
        const bytes = Buffer.from(sealedFor()[member], 'base64url');
        bytes[at % bytes.length]! ^= mask;
        const opened = openSealed({ ...sealedFor(), [member]: bytes.toString('base64url') }, keyOf());
        await expect(opened).rejects.toBeInstanceOf(CodedError);
      },
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...members), fc.nat(), async (member, length) => {
      const whole = sealedFor()[member];
      const opened = openSealed({ ...sealedFor(), [member]: whole.slice(0, length % whole.length) }, keyOf());
      await expect(opened).rejects.toBeInstanceOf(CodedError);
    }),
  );
});
