import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, it } from 'vitest';
import { expectSame } from './same-as-opa.ts';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenOf(header: unknown, payload: unknown, signer: (signed: string) => Buffer): string {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${signer(signed).toString('base64url')}`;
}

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

describe('tokens in policies', () => {
  it('verifies tokens as OPA does', async () => {
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const ed = generateKeyPairSync('ed25519');
    const payload = { iss: 'issuer', aud: ['me', 'you'], exp: 1_900_000_000, nbf: 1_600_000_000, n: 1 };
    const es = (algorithm: string, key: KeyObject) => (signed: string) =>
      createSign(algorithm).update(signed).sign({ key, dsaEncoding: 'ieee-p1363' });
    const tokens = {
      es256: tokenOf({ alg: 'ES256', kid: 'k' }, payload, es('sha256', p256.privateKey)),
      es384: tokenOf({ alg: 'ES384' }, payload, es('sha384', p384.privateKey)),
      rs256: tokenOf({ alg: 'RS256' }, payload, (signed) =>
        sign('sha256', Buffer.from(signed), rsa.privateKey),
      ),
      ps384: tokenOf({ alg: 'PS384' }, payload, (signed) =>
        sign('sha384', Buffer.from(signed), { key: rsa.privateKey, padding: 6, saltLength: 48 }),
      ),
      eddsa: tokenOf({ alg: 'EdDSA' }, payload, (signed) => sign(null, Buffer.from(signed), ed.privateKey)),
      hs512: tokenOf({ alg: 'HS512' }, payload, (signed) =>
        createHmac('sha512', 'secret').update(signed).digest(),
      ),
    };
    const jwks = JSON.stringify({
      keys: [
        { ...p384.publicKey.export({ format: 'jwk' }), kid: 'other', alg: 'ES384' },
        { ...p256.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' },
      ],
    });
    const keys = {
      es256: pem(p256.publicKey),
      es384: pem(p384.publicKey),
      rs256: pem(rsa.publicKey),
      ps384: pem(rsa.publicKey),
      eddsa: pem(ed.publicKey),
      hs512: 'secret',
    };
    const q = (text: string): string => JSON.stringify(text);
    const tampered = tokens.es256.replace(/\.[^.]*\./, `.${part({ ...payload, n: 2 })}.`);
    const decodeVerify = (token: string, constraints: unknown): string =>
      `io.jwt.decode_verify(${q(token)}, ${JSON.stringify(constraints)})`;
    const time = 1_795_437_296e9;
    await expectSame([
      ...Object.values(tokens).map((token) => `io.jwt.decode(${q(token)})`),
      'io.jwt.decode("a.b")',
      'io.jwt.decode("a.b.c")',
      ...Object.entries(tokens).map(
        ([name, token]) => `io.jwt.verify_${name}(${q(token)}, ${q(keys[name as keyof typeof keys])})`,
      ),
      `io.jwt.verify_es256(${q(tampered)}, ${q(keys.es256)})`,
      `io.jwt.verify_es256(${q(tokens.es256)}, ${q(keys.es384)})`,
      `io.jwt.verify_es256(${q(tokens.es256)}, ${q(keys.rs256)})`,
      `io.jwt.verify_es256(${q(tokens.es256)}, ${q(jwks)})`,
      `io.jwt.verify_es384(${q(tokens.es384)}, ${q(jwks)})`,
      `io.jwt.verify_es256(${q(tokens.es256)}, "no key")`,
      `io.jwt.verify_hs512(${q(tokens.hs512)}, "other")`,
      `io.jwt.verify_rs384(${q(tokens.rs256)}, ${q(keys.rs256)})`,
      decodeVerify(tokens.es256, { cert: keys.es256, iss: 'issuer', aud: 'me', time }),
      decodeVerify(tokens.es256, { cert: jwks, alg: 'ES256', aud: 'you', time }),
      decodeVerify(tokens.es256, { cert: keys.es256, alg: 'ES384', aud: 'me', time }),
      decodeVerify(tokens.es256, { cert: keys.es256, iss: 'else', aud: 'me', time }),
      decodeVerify(tokens.es256, { cert: keys.es256, aud: 'them', time }),
      decodeVerify(tokens.es256, { cert: keys.es256, time }),
      decodeVerify(tokens.es256, { cert: keys.es256, aud: 'me', time: 1_900_000_000e9 }),
      decodeVerify(tokens.es256, { cert: keys.es256, aud: 'me', time: 1_599_999_999e9 }),
      decodeVerify(tokens.es256, { cert: keys.es384, aud: 'me', time }),
      decodeVerify(tampered, { cert: keys.es256, aud: 'me', time }),
      decodeVerify(tokens.hs512, { secret: 'secret', aud: 'me', time }),
      decodeVerify(tokens.hs512, { secret: 'wrong', aud: 'me', time }),
      decodeVerify(tokens.hs512, { secret: 'secret', cert: keys.es256, aud: 'me', time }),
      decodeVerify(tokens.hs512, { aud: 'me', time }),
      decodeVerify(tokens.es256, { cert: keys.es256, else: 1 }),
      decodeVerify(
        tokenOf({ alg: 'none' }, payload, () => Buffer.alloc(0)),
        { cert: keys.es256, aud: 'me', time },
      ),
      decodeVerify(tokens.hs512, { cert: keys.rs256, aud: 'me', time }),
    ]);
  });

  it('keeps integers beyond 2^53 in tokens and instants', async () => {
    const token = `${part({ alg: 'none' })}.${Buffer.from('{"n":12345678901234567890}').toString('base64url')}.`;
    await expectSame([
      `io.jwt.decode("${token}")[1].n == 12345678901234567890`,
      `io.jwt.decode("${token}")[1].n == 1`,
    ]);
  });
});
