import { sign } from 'node:crypto';
import { ecdsaSignatureFromDer } from '../bytes/ecdsa-signature.ts';
import { toBase64Url, toUtf8 } from '../bytes/encoding.ts';
import type { Json, JsonObject } from '../claims/claims.ts';
import { TRUST_CLAIMS, type TrustVector } from '../claims/trust-vector.ts';
import { toEpochSeconds } from '../clock.ts';
import { CodedError } from '../errors/coded-error.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import type { SigningKey } from './signing-key.ts';
import { confirmationKey } from './tee-public-key.ts';
import { statusOf } from './trust-tier.ts';

/** Of P-256. */
const SCALAR_BYTES = 32;

const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  'ear.status',
  'ear.trustworthiness-vector',
  'ear.appraisal-policy-id',
  'ear.veraison.annotated-evidence',
]);

/** What one attested TEE or device was found to be worth. */
export interface EarSubmodule {
  /** `cpu0`, `gpu0`, … */
  readonly name: string;
  readonly trustVector: TrustVector;
  /** The policy id that the client asked for, without the class: `default`. */
  readonly policyId: string;
  /** The policy version that judged. */
  readonly policy: { readonly name: string; readonly sha384: string };
  /** What the policy judged. */
  readonly annotatedEvidence: JsonObject;
  /** Claims that the policy adds, by name. */
  readonly extensions: JsonObject;
  /** The evidence proves nothing about hardware. */
  readonly isSimulated: boolean;
}

export interface EarContent {
  /** The token's `jti`. */
  readonly id: string;
  readonly submodules: readonly [EarSubmodule, ...EarSubmodule[]];
  /** The JWK that the evidence was bound to; becomes `cnf.jwk` when it is a public key. */
  readonly teePublicKey: JsonObject | undefined;
  /** The nonce that this service issued; becomes `eat_nonce`. */
  readonly nonce: string | undefined;
}

/** Who mints, and for how long. */
export interface EarIssuer {
  readonly issuer: string;
  readonly developer: string;
  readonly build: string;
  readonly profile: string;
  readonly lifetimeSeconds: number;
  readonly audience: string | undefined;
}

/** Upstream's defaults: what an attestation service says of itself unless it is configured. */
export const DEFAULT_EAR_ISSUER: EarIssuer = {
  issuer: 'CoCo-Attestation-Service',
  developer: 'https://confidentialcontainers.org',
  build: 'attestation-service 0.1.0',
  profile: 'tag:github.com,2024:confidential-containers/Trustee',
  lifetimeSeconds: 300,
  audience: undefined,
};

/** The policy asked for a claim that it may not set. */
export class EarError extends CodedError<'EXTENSION_NAME_RESERVED'> {}

/**
 * Mints an EAT Attestation Result (draft-ietf-rats-ear) as upstream's attestation service does: JWS, ES256, the key in the
 * header. Beyond upstream's claims it states `nbf`, `jti`, `cnf` (RFC 7800), `eat_nonce` (RFC 9711), `aud`, and for each
 * submodule the policy version that judged. Signs with node:crypto: several times faster than WebCrypto, and on the
 * hot path. Throws EarError.
 */
export function mintEar(content: EarContent, issuer: EarIssuer, key: SigningKey, at: Date): string {
  const signed = `${key.encodedHeader}.${toBase64Url(toUtf8(JSON.stringify(payloadOf(content, issuer, at))))}`;
  const signature = ecdsaSignatureFromDer(sign('sha256', toUtf8(signed), key.privateKey), SCALAR_BYTES);
  return `${signed}.${toBase64Url(signature)}`;
}

function payloadOf(content: EarContent, issuer: EarIssuer, at: Date): JsonObject {
  const issuedAt = toEpochSeconds(at);
  const jwk = content.teePublicKey && confirmationKey(content.teePublicKey);
  return {
    eat_profile: issuer.profile,
    iat: issuedAt,
    'ear.verifier-id': { developer: issuer.developer, build: issuer.build },
    submods: Object.fromEntries(
      content.submodules.map((submodule) => [submodule.name, appraisalOf(submodule)]),
    ),
    exp: issuedAt + issuer.lifetimeSeconds,
    iss: issuer.issuer,
    nbf: issuedAt,
    jti: content.id,
    ...(jwk !== undefined && { cnf: { jwk } }),
    ...(content.nonce !== undefined && { eat_nonce: content.nonce }),
    ...(issuer.audience !== undefined && { aud: issuer.audience }),
  };
}

function appraisalOf(submodule: EarSubmodule): JsonObject {
  const vector = TRUST_CLAIMS.flatMap((name) => {
    const claim = submodule.trustVector[name];
    return claim === undefined ? [] : [[name, claim] as const];
  });
  return {
    'ear.status': statusOf(vector.map(([, claim]) => claim)),
    'ear.trustworthiness-vector': Object.fromEntries(vector),
    'ear.appraisal-policy-id': submodule.policyId,
    'ear.veraison.annotated-evidence': sortKeys(submodule.annotatedEvidence),
    ...allowedExtensions(submodule),
    'ear.verigo.policy': { name: submodule.policy.name, sha384: submodule.policy.sha384 },
    ...(submodule.isSimulated && { 'ear.verigo.simulated': true }),
  };
}

/** A policy must not write what it was judged to be worth, nor that simulated evidence was real. */
function allowedExtensions({ extensions, policy }: EarSubmodule): JsonObject {
  const reserved = Object.keys(extensions).find(
    (name) => RESERVED_CLAIMS.has(name) || name.startsWith('ear.verigo.'),
  );
  if (reserved !== undefined) {
    throw new EarError(
      'EXTENSION_NAME_RESERVED',
      `expected policy '${policy.name}' to name its extensions otherwise than '${reserved}'`,
    );
  }
  return sortKeys(extensions);
}

function sortKeys(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, sorted(value[name] ?? null)]),
  );
}

function sorted(value: Json): Json {
  if (isJsonObject(value)) return sortKeys(value);
  return isJsonArray(value) ? value.map(sorted) : value;
}

function isJsonArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
