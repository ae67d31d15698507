import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { VerificationKeyOptions } from '../../../../agent/data-hub/sealed-secret/verification-keys.ts';
import { parseResourceUri } from '../../../../agent/resource-uri.ts';
import { fakeSealedSecret, fakeSecretSigner } from '../../../fakes/fake-secrets.ts';
import { owner, stranger, useUnseal } from '../../../harness/sealed-secrets.ts';

const guest = useUnseal();
const good = fakeSealedSecret(owner);

describe('which keys verify (C3)', () => {
  const withKid = (kid: string): string => fakeSealedSecret(stranger, { header: { alg: 'ES256', kid } });
  const keys = [parseResourceUri('kbs:///default/keys')];

  test.each<[string, string, VerificationKeyOptions['resources']]>([
    ['a resource, where none is allowed', 'kbs:///default/keys/owner', []],
    ['a resource beside those allowed', 'kbs:///default/keys2/stranger', keys],
    ['a resource of another plugin', 'kbs+other:///default/keys/owner', keys],
    ['a resource of another host', 'kbs://elsewhere/default/keys/owner', keys],
    ['a resource with a query', 'kbs:///default/keys/owner?version=1', keys],
    ['a resource that climbs out', 'kbs:///default/keys/../keys2/stranger', keys],
    ['a scheme in other letters', 'KBS:///default/keys2/stranger', keys],
    ['no resource', 'kbs:x', keys],
    ['a name that climbs out of the folder', '../keys/owner', []],
    ['a hidden name', '.owner', []],
    ['an absolute name', '/etc/passwd', []],
    ['an URL', 'https://example.com/key', []],
  ])('%s: SIGNING_KEY_NOT_ALLOWED', async (_what, kid, resources) => {
    await expect(guest.unseal(withKid(kid), { resources })).rejects.toMatchObject({
      code: 'SIGNING_KEY_NOT_ALLOWED',
    });
    expect(guest.asked).toEqual([]);
  });

  test('a name that is there, but not on the list', async () => {
    await expect(guest.unseal(good, { kids: ['another'] })).rejects.toMatchObject({
      code: 'SIGNING_KEY_NOT_ALLOWED',
    });
    expect(await guest.unseal(good, { kids: ['owner'] })).toBe('the secret');
  });

  test('a link out of the folder', async () => {
    writeFileSync(join(guest.folder, 'outside'), JSON.stringify(stranger.publicJwk));
    symlinkSync('../outside', join(guest.folder, 'keys', 'linked'));
    await expect(guest.unseal(withKid('linked'))).rejects.toMatchObject({ code: 'SIGNING_KEY_NOT_ALLOWED' });
  });

  test('a folder in the place of a key', async () => {
    mkdirSync(join(guest.folder, 'keys', 'inner'));
    await expect(guest.unseal(withKid('inner'))).rejects.toMatchObject({ code: 'SIGNING_KEY_NOT_FOUND' });
  });

  test.each<[string, object | string]>([
    ['no JSON', 'key'],
    ['another curve', fakeSecretSigner('P-384').publicJwk],
    [
      'a point that is not on the curve',
      { ...owner.publicJwk, x: Buffer.alloc(32, 7).toString('base64url') },
    ],
    ['a key that encrypts', { ...owner.publicJwk, use: 'enc' }],
    ['a key of another algorithm', { ...owner.publicJwk, alg: 'ECDH-ES' }],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
    ['more than a key', `${JSON.stringify(owner.publicJwk)}${' '.repeat(20_000)}`],
  ])('a file that holds %s: SIGNING_KEY_MALFORMED', async (_what, jwk) => {
    guest.writeKey('owner', jwk);
    await expect(guest.unseal(good)).rejects.toMatchObject({ code: 'SIGNING_KEY_MALFORMED' });
  });
});
