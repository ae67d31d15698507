import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import canonicalize from 'canonicalize';
import { decodeJwt, type FlattenedJWE, flattenedDecrypt } from 'jose';
import type { JsonObject } from '../../server/claims/claims.ts';
import { createSampleEvidence } from '../../server/cli/sample-evidence.ts';
import type { FakeAmd, FakeEvidenceOptions } from '../fakes/fake-amd.ts';
import { type HttpReply, send } from './http.ts';

export type GuestKeyKind = 'P-256' | 'P-521' | 'RSA';

/** The key that a guest makes in its TEE. */
export interface GuestKey {
  readonly publicJwk: JsonObject;
  readonly privateKey: KeyObject;
}

/** Where a guest's evidence comes from: what it makes is bound to the runtime data. */
export interface EvidenceSource {
  readonly tee: string;
  evidence(runtimeData: JsonObject): Promise<unknown>;
}

/** What came of an attestation: the reply, and what is in it when it went well. */
export interface Attested {
  readonly reply: HttpReply;
  readonly token: string;
}

/** What a token says of one TEE. */
export interface Appraisal {
  readonly 'ear.status': string;
  readonly 'ear.trustworthiness-vector': Readonly<Record<string, number>>;
  readonly 'ear.appraisal-policy-id': string;
  readonly 'ear.veraison.annotated-evidence': Readonly<Record<string, unknown>>;
  readonly 'ear.verigo.policy': { readonly name: string; readonly sha384: string };
  readonly 'ear.verigo.simulated'?: boolean;
}

export interface Challenge {
  readonly nonce: string;
  readonly cookie: string;
}

const RSA_BITS = 2048;

export function createGuestKey(kind: GuestKeyKind = 'P-256'): GuestKey {
  const { privateKey } =
    kind === 'RSA'
      ? generateKeyPairSync('rsa', { modulusLength: RSA_BITS })
      : generateKeyPairSync('ec', { namedCurve: kind });
  const { kty, crv, x, y, n, e } = privateKey.export({ format: 'jwk' });
  const publicJwk =
    kind === 'RSA'
      ? { kty: kty!, alg: 'RSA-OAEP-256', n: n!, e: e! }
      : { kty: kty!, alg: 'ECDH-ES+A256KW', crv: crv!, x: x!, y: y! };
  return { publicJwk, privateKey };
}

/** Evidence that anybody can make. */
export const sampleSource: EvidenceSource = {
  tee: 'sample',
  evidence: async (runtimeData) => createSampleEvidence(runtimeData),
};

/** Reports that a chip of the fake AMD signs. */
export function snpSource(amd: FakeAmd, options: FakeEvidenceOptions = {}): EvidenceSource {
  return {
    tee: 'snp',
    evidence: async (runtimeData) =>
      await amd.evidence({ reportData: bindingDigest(runtimeData), ...options }),
  };
}

/** SHA-384 of the canonical form (RFC 8785): what the evidence has to carry. */
export function bindingDigest(runtimeData: JsonObject): Uint8Array {
  return createHash('sha384')
    .update(canonicalize(runtimeData) ?? '')
    .digest();
}

export async function requestNonce(url: string, tee: string): Promise<string> {
  const reply = await send(url, '/challenge', { json: { tee, tee_params: '' } });
  if (reply.status !== 200) throw new Error(`expected a nonce, got ${reply.status}: ${reply.text}`);
  return reply.text;
}

/** One member of `verification_requests`. */
export function verificationRequest(tee: string, evidence: unknown, runtimeData?: JsonObject): JsonObject {
  return {
    tee,
    evidence: Buffer.from(JSON.stringify(evidence)).toString('base64url'),
    ...(runtimeData !== undefined && { runtime_data: { structured: runtimeData } }),
  };
}

interface AttestOptions {
  readonly nonce?: string;
  readonly policyIds?: readonly string[];
  /** TOML, whose digest the evidence has to carry. */
  readonly initData?: string;
}

/** Passport: the guest fetches its token itself. With `nonce`, it does not ask for one. */
export async function attest(
  url: string,
  source: EvidenceSource,
  key: GuestKey,
  options: AttestOptions = {},
): Promise<Attested> {
  const nonce = options.nonce ?? (await requestNonce(url, source.tee));
  const runtimeData = { nonce, 'tee-pubkey': key.publicJwk };
  const request = {
    ...verificationRequest(source.tee, await source.evidence(runtimeData), runtimeData),
    ...(options.initData !== undefined && { init_data: { init_data_toml: options.initData } }),
  };
  const reply = await send(url, '/attestation', {
    json: { verification_requests: [request], policy_ids: options.policyIds ?? [] },
  });
  return { reply, token: reply.text };
}

/** What came of evidence that is accepted. */
export interface Appraised {
  readonly status: string;
  /** Of the TEE, as the policy saw them. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly appraisal: Appraisal;
  readonly token: string;
}

/** Attests with a key of its own; throws when there is no token. */
export async function appraised(
  url: string,
  source: EvidenceSource,
  options: AttestOptions & { readonly key?: GuestKey } = {},
): Promise<Appraised> {
  const { reply, token } = await attest(url, source, options.key ?? createGuestKey(), options);
  if (reply.status !== 200) throw new Error(`expected a token, got ${reply.status}: ${reply.text}`);
  const appraisal = appraisalIn(token);
  const claims = appraisal['ear.veraison.annotated-evidence'][source.tee] as Appraised['claims'];
  return { status: appraisal['ear.status'], claims, appraisal, token };
}

/** What the server answers to evidence that is bound to a nonce and a key as it should be. */
export async function replyTo(
  url: string,
  source: EvidenceSource,
  options: AttestOptions = {},
): Promise<HttpReply> {
  return (await attest(url, source, createGuestKey(), options)).reply;
}

/** What the token says of its first TEE. Nothing is verified. */
export function appraisalIn(token: string): Appraisal {
  const cpu0 = decodeJwt<{ submods: Record<string, Appraisal> }>(token).submods['cpu0'];
  if (cpu0 === undefined) throw new Error('expected a token with a submodule cpu0, got none');
  return cpu0;
}

/** POST /attestation with evidence that is bound to nothing: a document, or text that is none. */
export async function postEvidence(url: string, tee: string, evidence: object | string): Promise<HttpReply> {
  const text = typeof evidence === 'string' ? evidence : JSON.stringify(evidence);
  const request = { tee, evidence: Buffer.from(text).toString('base64url') };
  return await send(url, '/attestation', { json: { verification_requests: [request], policy_ids: [] } });
}

/** Background check, first half: the nonce, and the cookie that goes with it. */
export async function beginSession(url: string, tee: string): Promise<Challenge> {
  const reply = await send(url, '/kbs/v0/auth', { json: { version: '0.4.0', tee, 'extra-params': {} } });
  if (reply.status !== 200) throw new Error(`expected a challenge, got ${reply.status}: ${reply.text}`);
  return { nonce: (reply.json() as { nonce: string }).nonce, cookie: cookieOf(reply) };
}

/** The message of POST /kbs/v0/attest. */
export async function attestationMessage(
  nonce: string,
  source: EvidenceSource,
  key: GuestKey,
): Promise<JsonObject> {
  const bound = { nonce, 'tee-pubkey': key.publicJwk };
  return {
    'init-data': null,
    'runtime-data': bound,
    'tee-evidence': {
      primary_evidence: (await source.evidence({ ...bound, 'additional-evidence': '' })) as JsonObject,
      additional_evidence: '',
    },
  };
}

/** Background check, second half: the key broker has the evidence attested; the cookie is that of the session. */
export async function attestSession(
  url: string,
  challenge: Challenge,
  source: EvidenceSource,
  key: GuestKey,
): Promise<Attested & { readonly cookie: string }> {
  const reply = await send(url, '/kbs/v0/attest', {
    json: await attestationMessage(challenge.nonce, source, key),
    headers: { cookie: challenge.cookie },
  });
  if (reply.status !== 200) return { reply, token: '', cookie: challenge.cookie };
  return { reply, token: (reply.json() as { token: string }).token, cookie: cookieOf(reply) };
}

/** GET of a resource with a token, or with the cookie of a session. */
export async function getResource(
  url: string,
  path: string,
  credentials: { readonly token: string } | { readonly cookie: string },
): Promise<HttpReply> {
  return await send(
    url,
    `/kbs/v0/resource/${path}`,
    'token' in credentials ? { token: credentials.token } : { headers: credentials },
  );
}

/** Opens what the key broker sealed to the guest's key. */
export async function openResource(reply: HttpReply, key: GuestKey): Promise<string> {
  const { plaintext } = await flattenedDecrypt(reply.json() as FlattenedJWE, key.privateKey, {
    keyManagementAlgorithms: ['ECDH-ES+A256KW', 'RSA-OAEP-256'],
    contentEncryptionAlgorithms: ['A256GCM'],
  });
  return Buffer.from(plaintext).toString();
}

export function cookieOf(reply: HttpReply): string {
  return reply.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}
