import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { CollateralStore } from '../../../server/collateral/collateral.ts';
import { classifyIntelCollateral } from '../../../server/intel-dcap/collateral-keys.ts';
import type { PcsOptions } from '../../../server/intel-dcap/pcs-client.ts';
import type { FakePcsContent } from '../../fakes/fake-pcs.ts';
import { ALGORITHMS, issue, type TestCertificate } from '../x509/test-pki.ts';

/** Documents of this morning, valid for thirty days. */
export const NOW = new Date('2026-06-01T12:00:00Z');
export const ISSUED = new Date('2026-06-01T00:00:00Z');
export const NEXT_UPDATE = new Date('2026-07-01T00:00:00Z');
export const FMSPC = '00806F050000';
export const inDays = (days: number, from = NOW): Date => new Date(from.getTime() + days * 86_400_000);

/** Quick to give up. */
export const impatient = {
  fetch: globalThis.fetch,
  attemptMilliseconds: 300,
  deadlineMilliseconds: 4000,
  retries: 1,
  firstRetryMilliseconds: 1,
} satisfies Partial<PcsOptions>;

export interface DocumentOptions {
  readonly tee?: 'sgx' | 'tdx';
  readonly fmspc?: string;
  readonly evaluation?: number;
  readonly issued?: Date;
  readonly nextUpdate?: Date;
  /** Tells documents apart that are otherwise the same. */
  readonly signature?: string;
}

const seconds = (date: Date): string => date.toISOString().replace('.000', '');

/** A TCB info as Intel writes it, short, with a signature that nobody here checks. */
export function tcbInfo(options: DocumentOptions = {}): string {
  const { tee = 'tdx', fmspc = FMSPC, signature = '00'.repeat(64) } = options;
  const members = `"id":"${tee.toUpperCase()}","version":3,${dates(options)},"fmspc":"${fmspc}","pceId":"0000","tcbType":0`;
  return `{"tcbInfo":{${members},"tcbEvaluationDataNumber":${options.evaluation ?? 17},"tcbLevels":[]},"signature":"${signature}"}`;
}

export function qeIdentity(options: DocumentOptions = {}): string {
  const id = (options.tee ?? 'tdx') === 'tdx' ? 'TD_QE' : 'QE';
  const members = `"id":"${id}","version":2,${dates(options)},"tcbEvaluationDataNumber":${options.evaluation ?? 17}`;
  return `{"enclaveIdentity":{${members},"tcbLevels":[]},"signature":"${options.signature ?? '00'.repeat(64)}"}`;
}

function dates({ issued = ISSUED, nextUpdate = inDays(30, issued) }: DocumentOptions): string {
  return `"issueDate":"${seconds(issued)}","nextUpdate":"${seconds(nextUpdate)}"`;
}

/** Authorities named as Intel names them. */
export interface CollateralPki {
  readonly root: TestCertificate;
  readonly platform: TestCertificate;
  readonly processor: TestCertificate;
  readonly signer: TestCertificate;
  /** PEM, leaf first. */
  readonly signingChain: string;
  readonly pckChains: Readonly<Record<'platform' | 'processor', string>>;
  list(of: 'root' | 'platform' | 'processor', options?: ListOptions): Promise<Uint8Array>;
  /** All that a service has for the one platform, today. */
  content(): Promise<FakePcsContent>;
}

export interface ListOptions {
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date;
  readonly number?: number;
}

export async function createCollateralPki(): Promise<CollateralPki> {
  const root = await issue('Intel SGX Root CA');
  const platform = await issue('Intel SGX PCK Platform CA', { issuer: root, serial: '02' });
  const processor = await issue('Intel SGX PCK Processor CA', { issuer: root, serial: '03' });
  const signer = await issue('Intel SGX TCB Signing', { issuer: root, serial: '04', authority: undefined });
  const authorities = { root, platform, processor };
  const chain = (...certificates: readonly TestCertificate[]): string =>
    certificates.map(({ native }) => `${native.toString('pem')}\n`).join('');
  const pki: CollateralPki = {
    ...authorities,
    signer,
    signingChain: chain(signer, root),
    pckChains: { platform: chain(platform, root), processor: chain(processor, root) },
    async list(of, { thisUpdate = ISSUED, nextUpdate = inDays(30, thisUpdate), number = 1 } = {}) {
      const { native, keys } = authorities[of];
      const list = await x509.X509CrlGenerator.create({
        issuer: native.subject,
        thisUpdate,
        nextUpdate,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHMS['P-256'],
        entries: [],
        extensions: [new x509.Extension('2.5.29.20', false, Uint8Array.of(2, 1, number))],
      });
      return new Uint8Array(list.rawData);
    },
    async content() {
      return {
        tcbInfos: {
          [`tdx/${FMSPC}`]: tcbInfo(),
          [`tdx/${FMSPC}/early`]: tcbInfo({ evaluation: 18 }),
          [`sgx/${FMSPC}`]: tcbInfo({ tee: 'sgx' }),
        },
        qeIdentities: {
          tdx: qeIdentity(),
          'tdx/early': qeIdentity({ evaluation: 18 }),
          sgx: qeIdentity({ tee: 'sgx' }),
        },
        revocationLists: {
          platform: await pki.list('platform'),
          processor: await pki.list('processor'),
          root: await pki.list('root', { nextUpdate: inDays(365) }),
        },
        signingChain: pki.signingChain,
        pckChains: pki.pckChains,
      };
    },
  };
  return pki;
}

/** As an import does: whatever is recognised becomes a row. */
export async function importInto(
  store: CollateralStore,
  items: readonly (string | Uint8Array)[],
): Promise<void> {
  const bytes = items.map((item) => (typeof item === 'string' ? new Uint8Array(Buffer.from(item)) : item));
  for (const row of bytes.flatMap(classifyIntelCollateral)) await store.put(row);
}
