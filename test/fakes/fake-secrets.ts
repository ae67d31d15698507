import { createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A key that signs sealed secrets, and its JWK as a guest holds it. */
export interface FakeSecretSigner {
  readonly privateKey: KeyObject;
  readonly publicJwk: Readonly<Record<string, unknown>>;
}

export function fakeSecretSigner(namedCurve = 'P-256'): FakeSecretSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  return { privateKey, publicJwk: { ...publicKey.export({ format: 'jwk' }) } };
}

export interface FakeSecretOptions {
  readonly header?: object | string;
  /** A document, or text that is none. */
  readonly payload?: object | string;
  /** r ‖ s, unless `der`. */
  readonly der?: boolean;
}

export const VAULT = {
  version: '0.1.0',
  type: 'vault',
  name: 'kbs:///default/secret/one',
  provider: 'kbs',
  provider_settings: {},
  annotations: {},
};

/** A sealed secret with a right signature over whatever a test puts into it. */
export function fakeSealedSecret(signer: FakeSecretSigner, options: FakeSecretOptions = {}): string {
  const { header = { alg: 'ES256', kid: 'owner' }, payload = VAULT } = options;
  const signed = `${part(header)}.${part(payload)}`;
  const signature =
    options.der === true
      ? createSign('sha256').update(signed).sign(signer.privateKey)
      : sign('sha256', Buffer.from(signed), { key: signer.privateKey, dsaEncoding: 'ieee-p1363' });
  return `sealed.${signed}.${signature.toString('base64url')}`;
}

function part(value: object | string): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}
