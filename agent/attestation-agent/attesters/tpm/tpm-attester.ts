import { createPublicKey } from 'node:crypto';
import { concatBytes, padTo } from '../../../../server/bytes/byte-strings.ts';
import { fromUtf8, toBase64, toHex } from '../../../../server/bytes/encoding.ts';
import type { MeasuredLog } from '../../event-log/runtime-measurement.ts';
import { specIdHeader } from '../../event-log/spec-id-header.ts';
import { type EvidenceDocument, EvidenceError } from '../../evidence-provider.ts';
import type { Attester } from '../attester.ts';
import { bindByPcr } from './init-data-pcr.ts';
import { signingSchemeOf } from './signing-scheme.ts';
import { quotePcrs, type TpmQuoteParts } from './tpm-quote.ts';
import type { TpmTools } from './tpm-tools.ts';

export interface TpmAttesterOptions {
  readonly tools: TpmTools;
  /** Handle of the attestation key, `0x81010002` unless configured. */
  readonly keyHandle?: string;
  /** DER, the attestation key's first: for servers that believe an authority and not a key. */
  readonly keyCertificates?: readonly Uint8Array[];
  readonly log: MeasuredLog;
}

export const TPM_KEY_HANDLE = '0x81010002';
const EXTRA_DATA_BYTES = 32;
/** Bytes of SHA-384 and SHA-512. */
const LONGER_DIGESTS: ReadonlySet<number> = new Set([48, 64]);

/**
 * A TPM 2.0 with a persistent attestation key. Evidence: `{tpm_quote: {signature, message, pcrs}, ak_public}`, and for servers
 * that read them `ak_tpm_public`, `ak_cert_chain`, `event_log`.
 */
export function createTpmAttester(options: TpmAttesterOptions): Attester {
  const { tools, keyHandle = TPM_KEY_HANDLE, log } = options;
  return {
    tee: 'tpm',
    reportDataBytes: 'exact',
    async evidence(reportData) {
      const extraData = extraDataOf(reportData);
      const { area, spki } = await readKey(tools, keyHandle);
      const request = { keyHandle, extraData, scheme: signingSchemeOf(area), signatureForm: 'tss' } as const;
      const { quote, eventLog } = await log.whileUnchanged(async (records) => ({
        quote: await quotePcrs(tools, request),
        eventLog: records,
      }));
      return {
        tpm_quote: quoteDocument(quote),
        ak_public: toBase64(spki),
        ak_tpm_public: toBase64(area),
        ...certificateMember(options.keyCertificates),
        ...eventLogMember(eventLog),
      };
    },
    bindInitData: async (digest) => await bindByPcr(tools, digest),
  };
}

/**
 * 32 bytes, as upstream's guests quote them: padded with zeros, or cut where it is a digest of SHA-384 or SHA-512, whose first
 * 256 bits still identify what was hashed. Nothing else is cut: a prefix says nothing of the rest.
 */
function extraDataOf(reportData: Uint8Array): Uint8Array {
  const fits = LONGER_DIGESTS.has(reportData.byteLength)
    ? reportData.subarray(0, EXTRA_DATA_BYTES)
    : reportData;
  const extraData = padTo(fits, EXTRA_DATA_BYTES);
  if (extraData !== undefined) return extraData;
  throw new EvidenceError(
    'REPORT_DATA_TOO_LONG',
    `expected at most ${EXTRA_DATA_BYTES} bytes of report data for tpm, or a digest of 48 or 64, got ${reportData.byteLength}`,
  );
}

function quoteDocument({ message, signature, pcrs }: TpmQuoteParts): EvidenceDocument {
  return { signature: toBase64(signature), message: toBase64(message), pcrs: pcrs.map(toHex) };
}

async function readKey(
  tools: TpmTools,
  keyHandle: string,
): Promise<{ readonly spki: Uint8Array; readonly area: Uint8Array }> {
  return await tools.task(async (task) => {
    await task.run('readpublic', '-c', keyHandle, '-f', 'pem', '-o', await task.output('pem'));
    await task.run('readpublic', '-c', keyHandle, '-f', 'tss', '-o', await task.output('area'));
    const spki = createPublicKey(fromUtf8(await task.read('pem'))).export({ type: 'spki', format: 'der' });
    return { spki, area: await task.read('area') };
  });
}

function certificateMember(certificates: readonly Uint8Array[] = []): EvidenceDocument {
  return certificates.length === 0 ? {} : { ak_cert_chain: certificates.map(toBase64) };
}

/** Our own records only: those of the firmware are followed by measurements that no log of the firmware has. */
function eventLogMember(records: Uint8Array = new Uint8Array()): EvidenceDocument {
  if (records.byteLength === 0) return {};
  return { event_log: toBase64(concatBytes(specIdHeader(['sha256']), records)) };
}
