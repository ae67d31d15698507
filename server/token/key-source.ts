import { parseJson } from '../json/strict-json.ts';
import type { CompactJws } from './compact-jws.ts';
import { thumbprintOf } from './jwk-thumbprint.ts';
import { KeyError, TokenError } from './token-error.ts';
import { parseKeySet, parsePemKey, parseVerificationKey, type VerificationKey } from './verification-key.ts';

/** What a token says of the key that signed it. Attacker-controlled: good for choosing among trusted keys, nothing else. */
export type SignerHint = Pick<CompactJws, 'keyId' | 'jwk'>;

/**
 * Where the trusted keys of an issuer come from. `candidates` resolves to the trusted keys that the token may have been
 * signed with. Throws TokenError when none of them is; CouldNotCheckError when they cannot be had.
 */
export interface KeySource {
  candidates(hint: SignerHint, at: Date): Promise<readonly VerificationKey[]>;
}

/** Keys that this process knows anyway, those of its own attestation service for example; read anew at each use. */
export function liveKeys(keys: () => readonly VerificationKey[]): KeySource {
  return { candidates: async (hint) => chosen(matchingKeys(keys(), hint)) };
}

/** The keys of a JWKS file's text. Throws KeyError, MalformedError. */
export function keySetFile(text: string): KeySource {
  const keys = parseKeySet(parseJson(text));
  return { candidates: async (hint) => chosen(matchingKeys(keys, hint)) };
}

/** One public key in PEM. Having no id, it is the candidate for every token. Throws KeyError. */
export function pemFile(pem: string): KeySource {
  const keys = [parsePemKey(pem)];
  return { candidates: async () => keys };
}

/**
 * Whatever key the token carries is believed: anybody can mint tokens. For development only, which is why it is long
 * to type.
 */
export function dangerouslyTrustHeaderJwk(): KeySource {
  return {
    async candidates({ jwk }) {
      if (jwk === undefined)
        throw new TokenError('TOKEN_KEY_UNKNOWN', "expected a header with 'jwk', got none");
      return [headerKey(jwk)];
    },
  };
}

/** The key that a token's header carries, read but not believed. Throws TokenError. */
export function headerKey(jwk: NonNullable<SignerHint['jwk']>): VerificationKey {
  try {
    return parseVerificationKey(jwk);
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new TokenError('TOKEN_MALFORMED', `the header's 'jwk': ${cause.message}`, { cause });
  }
}

/**
 * The keys that a hint names: by `kid`, which may be the key's own id or its thumbprint. Attestation services that write
 * no `kid` carry the key itself instead; it names one of the trusted keys when the thumbprints agree.
 */
export function matchingKeys(
  keys: readonly VerificationKey[],
  { keyId, jwk }: SignerHint,
): readonly VerificationKey[] {
  const name = keyId ?? (jwk && thumbprintOrNothing(jwk));
  if (name === undefined) return [];
  return keys.filter((key) => key.keyId === name || key.thumbprint === name);
}

/** Throws TokenError TOKEN_KEY_UNKNOWN for an empty list. */
export function chosen(keys: readonly VerificationKey[]): readonly VerificationKey[] {
  if (keys.length > 0) return keys;
  throw new TokenError(
    'TOKEN_KEY_UNKNOWN',
    "expected a token signed by one of the issuer's keys, got another key id",
  );
}

function thumbprintOrNothing(jwk: NonNullable<SignerHint['jwk']>): string | undefined {
  try {
    return thumbprintOf(jwk);
  } catch (error) {
    if (error instanceof KeyError) return undefined;
    throw error;
  }
}
