import { LRUCache } from 'lru-cache';
import type { CollateralStore } from '../../collateral/collateral.ts';
import { CouldNotCheckError } from '../../errors/could-not-check-error.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { X509Error } from '../../x509/x509-error.ts';
import { vcekStoreKey } from './collateral-keys.ts';
import { requireKeyFits } from './endorsement-key.ts';
import type { Endorser, ProvenKey } from './endorser.ts';
import type { KdsClient } from './kds-client.ts';
import { type ProductLine, productOfCpuid } from './product.ts';
import type { SnpReport } from './report.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';
import { readTcb } from './tcb.ts';

interface VcekFinderOptions {
  readonly store: CollateralStore;
  readonly kds: KdsClient | undefined;
  readonly endorse: Endorser;
}

/**
 * Finds the VCEK of a report that came without one. Throws SnpEvidenceError ENDORSEMENT_KEY_MISSING, CHIP_ID_MASKED,
 * PRODUCT_UNSUPPORTED; CouldNotCheckError COLLATERAL_UNAVAILABLE, OVERLOADED; MalformedError RESERVED_NOT_ZERO.
 */
type VcekFinder = (report: SnpReport, at: Date) => Promise<ProvenKey>;

/** Reports of version 2 are older than Turin, and do not say which of the others made them. */
const PRODUCTS_OF_VERSION_2: readonly ProductLine[] = ['Milan', 'Genoa'];
const MAX_KNOWN = 4096;

/** One report's key on one product line. */
interface Wanted {
  readonly report: SnpReport;
  readonly product: ProductLine;
  readonly key: string;
}

/**
 * Looks in memory, in the store, then asks the key service; one flight a chip and TCB. Whatever is found is proven
 * for the report before it is kept, and again at each use: the store is not trusted.
 */
export function createVcekFinder(options: VcekFinderOptions): VcekFinder {
  const known = new LRUCache<string, Uint8Array>({ max: MAX_KNOWN });
  const flights = new Map<string, Promise<Uint8Array>>();

  async function findOn(product: ProductLine, report: SnpReport, at: Date): Promise<ProvenKey> {
    const key = vcekStoreKey(product, report.chipId, report.reportedTcb);
    const wanted = { report, product, key };
    const remembered = await proveIfGood(known.get(key), wanted, options.endorse, at);
    if (remembered !== undefined) return remembered;
    const flight = flights.get(key) ?? find(wanted, options, at).finally(() => flights.delete(key));
    flights.set(key, flight);
    const der = await flight;
    known.set(key, der);
    return await prove(der, wanted, options.endorse, at);
  }

  return async (report, at) => {
    requireFindable(report);
    const products = report.cpuid ? [productOfCpuid(report.cpuid)] : PRODUCTS_OF_VERSION_2;
    let failure: unknown;
    for (const product of products) {
      try {
        return await findOn(product, report, at);
      } catch (error) {
        if (!(error instanceof CouldNotCheckError) || error.code !== 'COLLATERAL_UNAVAILABLE') throw error;
        failure ??= error;
      }
    }
    throw failure;
  };
}

/** Refused before any request: the service cannot know these. */
function requireFindable(report: SnpReport): void {
  if (report.signingKey !== 'vcek') {
    throw new SnpEvidenceError(
      'ENDORSEMENT_KEY_MISSING',
      'expected the VLEK certificate with the evidence (no service hands VLEKs out), got none',
    );
  }
  if (report.chipId.every((byte) => byte === 0)) {
    throw new SnpEvidenceError(
      'CHIP_ID_MASKED',
      'expected a chip id in the report or a VCEK with the evidence, got neither: the host masks the chip id',
    );
  }
}

async function find(
  wanted: Wanted,
  { store, kds, endorse }: VcekFinderOptions,
  at: Date,
): Promise<Uint8Array> {
  const stored = (await store.find('snp-vek', wanted.key))?.body;
  if (stored !== undefined && (await proveIfGood(stored, wanted, endorse, at)) !== undefined) return stored;
  const { report, product, key } = wanted;
  const tcb = readTcb(report.reportedTcb, product);
  if (kds === undefined) {
    const came = stored === undefined ? 'none, and the key service is off' : 'one that does not verify';
    throw unavailable(`expected a VCEK with the evidence or in the store, got ${came}`);
  }
  const fetched = await kds.fetchVcek(product, report.chipId, tcb, at);
  if ((await proveIfGood(fetched, wanted, endorse, at)) === undefined) {
    throw unavailable(
      'expected the VCEK of this chip from the key service, got something that does not verify',
    );
  }
  const expiresAt = parseCertificate(fetched).validity.notAfter;
  await store.put({ kind: 'snp-vek', key, body: fetched, expiresAt, source: 'fetched' });
  return fetched;
}

async function prove(der: Uint8Array, wanted: Wanted, endorse: Endorser, at: Date): Promise<ProvenKey> {
  const supplied = { endorsementKey: der, intermediate: undefined };
  const proven = await endorse(wanted.report, 'vcek', supplied, at);
  requireKeyFits(proven.key, wanted.product, wanted.report);
  return proven;
}

/** What does not verify here is no fault of the guest's: another certificate may do. */
async function proveIfGood(
  der: Uint8Array | undefined,
  wanted: Wanted,
  endorse: Endorser,
  at: Date,
): Promise<ProvenKey | undefined> {
  if (der === undefined) return undefined;
  try {
    return await prove(der, wanted, endorse, at);
  } catch (error) {
    if (error instanceof SnpEvidenceError || error instanceof X509Error) return undefined;
    throw error;
  }
}

function unavailable(message: string): CouldNotCheckError {
  return new CouldNotCheckError('COLLATERAL_UNAVAILABLE', message);
}
