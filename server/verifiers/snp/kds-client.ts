import { toHex } from '../../bytes/encoding.ts';
import { createPoliteGet, type Patience } from '../../vendor-service/polite-get.ts';
import type { ProductLine } from './product.ts';
import type { SnpTcb } from './tcb.ts';

/** AMD's key distribution service, or a mirror of it. */
export interface KdsOptions extends Patience {
  /** `https://kdsintf.amd.com`, or where a mirror answers the same paths. */
  readonly baseUrl: string;
}

export interface KdsClient {
  /** The DER of the VCEK for a chip (64 bytes as in the report) and TCB. Unverified. */
  fetchVcek(product: ProductLine, chipId: Uint8Array, tcb: SnpTcb, at: Date): Promise<Uint8Array>;
  /** The DER of the root's revocation list. Unverified. */
  fetchRevocationList(product: ProductLine, at: Date): Promise<Uint8Array>;
}

/** Real answers: 1.4 KiB and below 100 KiB. */
const MAX_CERTIFICATE_BYTES = 16_384;
const MAX_LIST_BYTES = 1 << 20;
const ACCEPT = 'application/octet-stream, application/pkix-cert, application/pkix-crl';
/** Turin's hardware id; the rest of its chip id is zero. */
const TURIN_ID_BYTES = 8;

/**
 * A client of the key service (AMD 57230, VCEK and KDS interface). Bounded in time, size and concurrency; never follows
 * a redirect; leaves a service alone that said no or "too many". The caller verifies what comes and shares one flight a key.
 * Every failure is CouldNotCheckError COLLATERAL_UNAVAILABLE or OVERLOADED.
 */
export function createKdsClient(options: KdsOptions): KdsClient {
  const base = options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`;
  const get = createPoliteGet('the AMD key service', options);
  const fetchFile = async (path: string, what: string, maxBytes: number, at: Date): Promise<Uint8Array> =>
    await get(
      { url: new URL(path, base), headers: { accept: ACCEPT }, maxBytes, what, read: (body) => body },
      at,
    );
  return {
    async fetchVcek(product, chipId, tcb, at) {
      const path = vcekPath(product, chipId, tcb);
      return await fetchFile(path, `the VCEK of a ${product} chip`, MAX_CERTIFICATE_BYTES, at);
    },
    async fetchRevocationList(product, at) {
      const path = `vcek/v1/${product}/crl`;
      return await fetchFile(path, `the revocation list of ${product}`, MAX_LIST_BYTES, at);
    },
  };
}

/** Two decimal digits a component; Turin names its chip in 8 bytes and has one component more. */
function vcekPath(product: ProductLine, chipId: Uint8Array, tcb: SnpTcb): string {
  const id = toHex(product === 'Turin' ? chipId.subarray(0, TURIN_ID_BYTES) : chipId);
  const digits = (value: number): string => value.toString().padStart(2, '0');
  const fmc = tcb.fmc === undefined ? '' : `fmcSPL=${digits(tcb.fmc)}&`;
  const rest = `blSPL=${digits(tcb.bootloader)}&teeSPL=${digits(tcb.tee)}&snpSPL=${digits(tcb.snp)}`;
  return `vcek/v1/${product}/${id}?${fmc}${rest}&ucodeSPL=${digits(tcb.microcode)}`;
}
