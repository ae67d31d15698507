import { z } from 'zod';
import { fromUtf8, toBase64, toUtf8 } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import { parseJson } from '../json/strict-json.ts';
import { splitPem } from '../x509/pem.ts';
import type { PlatformQuery, SignedDocument } from './dcap-collateral.ts';

/** Real ones are below 64 KiB. */
export const MAX_DOCUMENT_BYTES = 1 << 20;

/** What a TCB info or an enclave identity says about itself. Nothing is believed: it tells documents apart. */
export type DocumentFacts = DocumentDates &
  ({ readonly type: 'tcb-info'; readonly fmspc: string } | { readonly type: 'qe-identity' });

interface DocumentDates {
  readonly tee: PlatformQuery['tee'];
  /** tcbEvaluationDataNumber: which revision of Intel's judgement about all TCBs. */
  readonly evaluation: number;
  readonly issuedAt: Date;
  readonly nextUpdate: Date;
}

const date = z.iso.datetime().transform((text) => new Date(text));
const dates = {
  tcbEvaluationDataNumber: z.int().min(0).max(0xffff_ffff),
  issueDate: date,
  nextUpdate: date,
};
const signature = z.string();
// Intel's API reference, "TCB info" version 2 (SGX only, without an id) and 3; "Enclave identity" version 2.
const tcbInfoSchema = z.object({
  tcbInfo: z.object({
    id: z.enum(['SGX', 'TDX']).default('SGX'),
    fmspc: z.string().regex(/^[0-9A-Fa-f]{12}$/),
    ...dates,
  }),
  signature,
});
const identitySchema = z.object({
  enclaveIdentity: z.object({ id: z.enum(['QE', 'TD_QE']), ...dates }),
  signature,
});
const TEE_OF_ID = { SGX: 'sgx', TDX: 'tdx', QE: 'sgx', TD_QE: 'tdx' } as const;

const PEM_START = '\n-----BEGIN CERTIFICATE-----';
const PEM_LINE = /.{1,64}/g;

/** The facts of a document of Intel's; `undefined` when the bytes are none. */
export function factsOf(body: Uint8Array): DocumentFacts | undefined {
  const json = parsedOrUndefined(body);
  const tcbInfo = tcbInfoSchema.safeParse(json).data?.tcbInfo;
  if (tcbInfo !== undefined) {
    return { type: 'tcb-info', fmspc: tcbInfo.fmspc.toUpperCase(), ...datesOf(tcbInfo) };
  }
  const identity = identitySchema.safeParse(json).data?.enclaveIdentity;
  return identity === undefined ? undefined : { type: 'qe-identity', ...datesOf(identity) };
}

/**
 * The form in which a document is kept and moves between servers: the body byte by byte, then, where its issuer's
 * certificates came with it, those in PEM. So what Intel sent together stays together when it changes its signing key.
 */
export function joinDocument({ body, issuerChain }: SignedDocument): Uint8Array {
  return toUtf8(fromUtf8(body) + issuerChain.map(toPem).join(''));
}

/** Takes joinDocument's form apart; a body alone has an empty chain. `undefined` when it is not of that form. */
export function splitDocument(bytes: Uint8Array): SignedDocument | undefined {
  if (bytes.byteLength > MAX_DOCUMENT_BYTES) return undefined;
  try {
    const text = fromUtf8(bytes);
    const end = text.indexOf(PEM_START);
    if (end === -1) return { body: bytes, issuerChain: [] };
    return { body: toUtf8(text.slice(0, end)), issuerChain: splitPem(text.slice(end)) };
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function datesOf(document: {
  readonly id: keyof typeof TEE_OF_ID;
  readonly tcbEvaluationDataNumber: number;
  readonly issueDate: Date;
  readonly nextUpdate: Date;
}): DocumentDates {
  return {
    tee: TEE_OF_ID[document.id],
    evaluation: document.tcbEvaluationDataNumber,
    issuedAt: document.issueDate,
    nextUpdate: document.nextUpdate,
  };
}

function parsedOrUndefined(body: Uint8Array): unknown {
  if (body.byteLength > MAX_DOCUMENT_BYTES) return undefined;
  try {
    return parseJson(fromUtf8(body));
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function toPem(der: Uint8Array): string {
  const lines = toBase64(der).match(PEM_LINE) ?? [];
  return `${PEM_START}\n${lines.join('\n')}\n-----END CERTIFICATE-----`;
}
