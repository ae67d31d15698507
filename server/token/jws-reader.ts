import { LRUCache } from 'lru-cache';
import { sha256 } from '../bytes/byte-strings.ts';
import { toBase64Url } from '../bytes/encoding.ts';
import { type CompactJws, parseCompactJws } from './compact-jws.ts';
import { isJwsAlgorithm, isSignatureValid } from './jws-algorithm.ts';
import { TokenError } from './token-error.ts';
import type { VerificationKey } from './verification-key.ts';

/** Characters of tokens. A guest fetches several resources with one token; each entry may be large. */
const MAX_CACHED_LENGTH = 4_194_304;

interface Seen {
  readonly jws: CompactJws;
  /** Keys (by thumbprint and algorithm) whose signature this very text has been found to bear. */
  readonly verifiedBy: Set<string>;
}

/**
 * Reads tokens and checks signatures, remembering by the hash of the token's text what has been found. It remembers
 * only that a signature is right, never that a token may be used: keys, times, issuer and audience are asked each time.
 */
export class JwsReader {
  readonly #seen = new LRUCache<string, Seen>({
    maxSize: MAX_CACHED_LENGTH,
    sizeCalculation: ({ jws }) => jws.signedBytes.byteLength + 1024,
  });

  /** Throws TokenError when the text is no token, or names an algorithm that we do not have. */
  read(token: string): ReadJws {
    const id = toBase64Url(sha256(token));
    const seen = this.#seen.get(id);
    const jws = seen?.jws ?? parseCompactJws(token);
    assertAlgorithm(jws);
    return { jws, verify: (keys) => this.#verify(id, jws, keys) };
  }

  #verify(id: string, jws: CompactJws, keys: readonly VerificationKey[]): VerificationKey {
    const usable = keys.filter(({ algorithms }) => algorithms.includes(jws.algorithm));
    if (usable.length === 0) {
      const allowed = [...new Set(keys.flatMap(({ algorithms }) => algorithms))];
      throw new TokenError(
        'TOKEN_ALGORITHM_MISMATCH',
        `expected a token signed with ${allowed.join(' or ')}, got ${jws.algorithm}`,
      );
    }
    const signer = usable.find((key) => this.#isSignedBy(id, jws, key));
    if (signer === undefined) {
      throw new TokenError(
        'TOKEN_SIGNATURE_INVALID',
        "expected the signature of the issuer's key, got another",
      );
    }
    return signer;
  }

  #isSignedBy(id: string, jws: CompactJws, key: VerificationKey): boolean {
    const keyName = `${jws.algorithm} ${key.thumbprint}`;
    const seen = this.#seen.get(id);
    if (seen?.verifiedBy.has(keyName) === true) return true;
    if (!isSignatureValid(jws.algorithm, key.key, jws.signedBytes, jws.signature)) return false;
    this.#seen.set(id, { jws, verifiedBy: new Set([...(seen?.verifiedBy ?? []), keyName]) });
    return true;
  }
}

/** A token that has been read; `verify` returns the one of the keys that signed it, or throws TokenError. */
export interface ReadJws {
  readonly jws: CompactJws;
  verify(keys: readonly VerificationKey[]): VerificationKey;
}

function assertAlgorithm({ algorithm }: CompactJws): void {
  if (isJwsAlgorithm(algorithm)) return;
  throw new TokenError(
    'TOKEN_ALGORITHM_UNSUPPORTED',
    `expected a token signed with ES, RS, PS 256 to 512 or EdDSA, got '${algorithm.slice(0, 32)}'`,
  );
}
