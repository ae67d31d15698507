import { constants, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import type { JsonObject } from '../../../server/claims/claims.ts';
import { type KeySource, keySetFile } from '../../../server/token/key-source.ts';

export const AT = new Date('2026-11-23T12:00:00Z');
export const NOW = AT.getTime() / 1000;

export const GOOD_CLAIMS: JsonObject = {
  iss: 'an attestation service',
  exp: NOW + 300,
  iat: NOW,
  nbf: NOW,
  jti: 'token 1',
  eat_profile: 'a profile',
};

/** Somebody who signs tokens, rightly or wrongly: every part of a token can be chosen. */
export interface FakeIssuer {
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: JsonWebKey & { kid: string; alg: string };
  readonly keys: KeySource;
  /** Header members given here replace or (undefined) remove the right ones. */
  token(claims: object, header?: object): string;
}

const KEY_MAKERS: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

export function fakeIssuer(algorithm = 'ES256', kid = 'key 1'): FakeIssuer {
  const make = KEY_MAKERS[algorithm] ?? (() => generateKeyPairSync('rsa', { modulusLength: 2048 }));
  const { privateKey, publicKey } = make();
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm };
  return {
    algorithm,
    privateKey,
    publicJwk,
    keys: keySetFile(JSON.stringify({ keys: [publicJwk] })),
    token: (claims, header = {}) =>
      compact({ typ: 'JWT', alg: algorithm, kid, ...header }, claims, (data) =>
        signWith(algorithm, privateKey, data),
      ),
  };
}

/** The compact form of any header, any payload and any signature. Text is put in as it is. */
export function compact(
  header: object | string,
  payload: object | string,
  signer: (data: Buffer) => Uint8Array,
): string {
  const signed = [header, payload].map((part) => encode(part)).join('.');
  return `${signed}.${Buffer.from(signer(Buffer.from(signed))).toString('base64url')}`;
}

export function signWith(algorithm: string, key: KeyObject, data: Buffer): Uint8Array {
  const hash = algorithm === 'EdDSA' ? undefined : `sha${algorithm.slice(2)}`;
  const pss = algorithm.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
  return sign(hash, data, { key, dsaEncoding: 'ieee-p1363', ...pss });
}

function encode(part: object | string): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}
