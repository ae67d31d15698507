import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAdminAuth, type IdentityProvider } from '../../../server/admin/admin-auth.ts';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { pemFile } from '../../../server/token/key-source.ts';
import { AT, compact, fakeIssuer, NOW } from '../token/fake-issuer.ts';

const admin = fakeIssuer('EdDSA', 'admin');
const stranger = fakeIssuer('EdDSA', 'admin');
const CLAIMS = {
  iss: 'issuer',
  aud: ['other', 'audience'],
  sub: 'alice',
  role: 'tester',
  exp: NOW + 7200,
  iat: NOW,
};
const PROVIDER: IdentityProvider = { issuer: 'issuer', audience: 'audience', keys: admin.keys };
const ACLS = [{ role: 'tester', allowedEndpoints: '^/kbs/v0/.*$' }];
const PATH = '/kbs/v0/resource-policy';

const auth = (identityProviders: IdentityProvider[] = [PROVIDER], acls = ACLS) =>
  createAdminAuth({ mode: 'bearer-jwt', identityProviders, acls });
const ask = async (token: string, authorize = auth(), path = PATH) =>
  await authorize({ authorization: `Bearer ${token}`, path }, AT);

describe('bearer-jwt', () => {
  it.each([
    ['one of several audiences', CLAIMS],
    ['a list of roles', { ...CLAIMS, role: ['reader', 'tester'] }],
    ['a role that is a list of one', { ...CLAIMS, role: ['tester'] }],
    ['no nbf and no iat', { ...CLAIMS, iat: undefined }],
  ])('accepts a token with %s', async (_what, claims) => {
    await expect(ask(admin.token(claims))).resolves.toEqual({ subject: 'alice', role: 'tester' });
  });

  it('names an administrator without sub by the issuer', async () => {
    await expect(ask(admin.token({ ...CLAIMS, sub: undefined }))).resolves.toMatchObject({
      subject: 'issuer',
    });
  });

  it('does not ask for an issuer or an audience that is not configured', async () => {
    const open = auth([{ issuer: undefined, audience: undefined, keys: admin.keys }]);
    await expect(
      ask(admin.token({ ...CLAIMS, iss: 'anybody', aud: 'anything' }), open),
    ).resolves.toBeDefined();
    await expect(
      ask(admin.token({ ...CLAIMS, iss: undefined, aud: undefined }), open),
    ).resolves.toBeDefined();
  });

  it('takes a PEM key for tokens without a key id', async () => {
    const pem = fakeIssuerPem();
    await expect(ask(pem.token, auth([{ ...PROVIDER, keys: pemFile(pem.text) }]))).resolves.toBeDefined();
  });

  it('asks the providers one after the other', async () => {
    const other = fakeIssuer('ES256', 'other');
    const both = auth([{ ...PROVIDER, keys: other.keys }, PROVIDER]);
    await expect(ask(admin.token(CLAIMS), both)).resolves.toBeDefined();
  });

  it('goes on to the next provider when the first accepts a token that has no role', async () => {
    const roleless = auth([{ ...PROVIDER, issuer: 'another' }, PROVIDER]);
    await expect(ask(admin.token(CLAIMS), roleless)).resolves.toBeDefined();
  });

  it.each([
    ['a foreign key', stranger.token(CLAIMS)],
    ['another issuer', admin.token({ ...CLAIMS, iss: 'other' })],
    ['no issuer', admin.token({ ...CLAIMS, iss: undefined })],
    ['another audience', admin.token({ ...CLAIMS, aud: 'other' })],
    ['no audience', admin.token({ ...CLAIMS, aud: undefined })],
    ['no exp', admin.token({ ...CLAIMS, exp: undefined })],
    ['an expired token', admin.token({ ...CLAIMS, exp: NOW - 60 })],
    ['a token of tomorrow', admin.token({ ...CLAIMS, nbf: NOW + 86_400 })],
    ['no role', admin.token({ ...CLAIMS, role: undefined })],
    ['an empty list of roles', admin.token({ ...CLAIMS, role: [] })],
    ['a role that is an object', admin.token({ ...CLAIMS, role: { tester: true } })],
    ['a role that is no text', admin.token({ ...CLAIMS, role: ['tester', 1] })],
    ['a giant list of roles', admin.token({ ...CLAIMS, role: Array.from({ length: 33 }, () => 'tester') })],
    ['an attestation token', admin.token({ ...CLAIMS, submods: {} })],
    ['an EAR of no submodule', admin.token({ ...CLAIMS, eat_profile: 'p', 'ear.verifier-id': {} })],
    ['an unsigned token', compact({ alg: 'none' }, CLAIMS, () => new Uint8Array())],
    ['an algorithm of another key', admin.token(CLAIMS, { alg: 'ES256' })],
    ['a header key', stranger.token(CLAIMS, { jwk: stranger.publicJwk, kid: undefined })],
    ['no token at all', 'x'],
  ])('refuses %s', async (_what, token) => {
    await expect(ask(token)).rejects.toMatchObject({
      name: 'AdminError',
      code: 'ADMIN_TOKEN_REFUSED',
      message: expect.stringContaining('Cannot verify token with any of the issuers') as string,
    });
  });

  it.each([undefined, '', 'Basic QQ==', 'Bearer', 'Bearer ', 'Bearer a b', 'xBearer a'])(
    'refuses the header %s',
    async (authorization) => {
      await expect(auth()({ authorization, path: PATH }, AT)).rejects.toMatchObject({
        code: 'ADMIN_TOKEN_MISSING',
      });
    },
  );

  it.each([
    [
      'a role without rules',
      admin.token({ ...CLAIMS, role: 'guest' }),
      PATH,
      'Role guest not allowed for path /kbs/v0/resource-policy',
    ],
    [
      'a path outside its rules',
      admin.token(CLAIMS),
      '/api/v1/x',
      'Role tester not allowed for path /api/v1/x',
    ],
    [
      'a role with line breaks',
      admin.token({ ...CLAIMS, role: 'a\nb' }),
      PATH,
      'Role a?b not allowed for path /kbs/v0/resource-policy',
    ],
  ])('does not allow %s', async (_what, token, path, message) => {
    await expect(ask(token, auth(), path)).rejects.toMatchObject({ code: 'ADMIN_ROLE_NOT_ALLOWED', message });
  });

  it("could not check when a provider's keys cannot be had and no other accepts", async () => {
    const unreachable: IdentityProvider = {
      ...PROVIDER,
      keys: {
        candidates: async () => {
          throw new CouldNotCheckError('ISSUER_KEYS_UNAVAILABLE', 'no answer');
        },
      },
    };
    await expect(ask(stranger.token(CLAIMS), auth([unreachable, PROVIDER]))).rejects.toMatchObject({
      code: 'ISSUER_KEYS_UNAVAILABLE',
    });
    await expect(ask(admin.token(CLAIMS), auth([unreachable, PROVIDER]))).resolves.toBeDefined();
  });

  it('refuses to be configured without a provider', () => {
    expect(() => auth([])).toThrow(expect.objectContaining({ code: 'ADMIN_PROVIDERS_MISSING' }) as Error);
  });

  it('refuses to be configured with a bad rule', () => {
    expect(() => auth([PROVIDER], [{ role: 'x', allowedEndpoints: '.*' }])).toThrow(
      expect.objectContaining({ code: 'ADMIN_ACL_INVALID' }) as Error,
    );
  });
});

describe('deny-all', () => {
  it('denies whatever comes', async () => {
    await expect(ask(admin.token(CLAIMS), createAdminAuth({ mode: 'deny-all' }))).rejects.toMatchObject({
      code: 'ADMIN_ACCESS_DISABLED',
      message: 'DenyAll authorization_mode is enabled',
    });
  });
});

function fakeIssuerPem(): { readonly text: string; readonly token: string } {
  const signer = fakeIssuer('RS256');
  const text = createPublicKey(signer.privateKey).export({ type: 'spki', format: 'pem' });
  return { text: text.toString(), token: signer.token(CLAIMS, { kid: undefined }) };
}
