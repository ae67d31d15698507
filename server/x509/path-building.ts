import type { Certificate } from './certificate.ts';
import {
  anchorFromSelfSigned,
  type Chain,
  isSelfSigned,
  MAX_CHAIN_LENGTH,
  nameOf,
  type TrustAnchor,
  type VerifiedCertificate,
  verifyChain,
} from './chain.ts';
import { X509Error } from './x509-error.ts';

/** An attacker chooses the pool: more certificates than this are refused. */
const MAX_POOL = 16;
/** Steps of the search, since certificates of one name can be put in many orders. */
const MAX_STEPS = 128;

interface Search {
  readonly pool: readonly Certificate[];
  readonly roots: readonly { readonly certificate: Certificate; readonly anchor: TrustAnchor }[];
  readonly at: Date;
  stepsLeft: number;
  /** Why the first complete path was refused: of more use than that there was no other. */
  refusal: X509Error | undefined;
}

/**
 * Finds and verifies a path from a leaf over an unordered, untrusted pool of certificates to a self-signed certificate
 * among the trusted ones; what is trusted but not self-signed only joins the pool. Returns the leaf.
 * Throws X509Error: as verifyChain for a path that is complete but wrong, CHAIN_UNTRUSTED where there is none,
 * CHAIN_TOO_LONG when the pool is larger than 16 or the search takes too many steps.
 */
export function verifyPath(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  trusted: readonly Certificate[],
  at: Date,
): VerifiedCertificate {
  const roots = trusted.filter(isSelfSigned);
  const pool = [...intermediates, ...trusted.filter((certificate) => !roots.includes(certificate))];
  if (intermediates.length > MAX_POOL) {
    throw new X509Error(
      'CHAIN_TOO_LONG',
      `expected at most ${MAX_POOL} intermediate certificates, got ${intermediates.length}`,
    );
  }
  const search: Search = {
    pool,
    roots: roots.map((certificate) => ({ certificate, anchor: anchorFromSelfSigned(certificate) })),
    at,
    stepsLeft: MAX_STEPS,
    refusal: undefined,
  };
  const found = extend([leaf], search);
  if (found !== undefined) return found;
  throw (
    search.refusal ??
    new X509Error(
      'CHAIN_UNTRUSTED',
      `expected a path from '${nameOf(leaf)}' to one of ${roots.length} self-signed trusted certificates`,
    )
  );
}

/** Depth first: ends at a root where one issued the last certificate, else goes on through the pool. */
function extend(chain: Chain, search: Search): VerifiedCertificate | undefined {
  if (search.stepsLeft-- === 0) {
    throw new X509Error('CHAIN_TOO_LONG', `expected a path within ${MAX_STEPS} steps, found none`);
  }
  const verified = endAtRoot(chain, search);
  // One place is left for the root.
  if (verified !== undefined || chain.length >= MAX_CHAIN_LENGTH - 1) return verified;
  for (const candidate of issuersOf(chain, search.pool)) {
    const found = extend([...chain, candidate], search);
    if (found !== undefined) return found;
  }
  return undefined;
}

function endAtRoot(chain: Chain, search: Search): VerifiedCertificate | undefined {
  const last = chain.at(-1) ?? chain[0];
  for (const { certificate, anchor } of search.roots) {
    const isItself = certificate.fingerprint === last.fingerprint;
    if (!isItself && !last.namesAsIssuer(certificate)) continue;
    const verified = attempt(isItself ? chain : [...chain, certificate], anchor, search);
    if (verified !== undefined) return verified;
  }
  return undefined;
}

/** Certificates of the pool that may come next; none twice in one path. */
function issuersOf(chain: Chain, pool: readonly Certificate[]): readonly Certificate[] {
  const last = chain.at(-1) ?? chain[0];
  return pool.filter(
    (candidate) =>
      last.namesAsIssuer(candidate) &&
      !chain.some(({ fingerprint }) => fingerprint === candidate.fingerprint),
  );
}

function attempt(chain: Chain, anchor: TrustAnchor, search: Search): VerifiedCertificate | undefined {
  try {
    return verifyChain(chain, [anchor], { at: search.at });
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    search.refusal ??= error;
    return undefined;
  }
}
