import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { anchorsFromCertificates, type SnpAnchors } from '../../server/verifiers/snp/anchor-set.ts';
import { PRODUCT_LINES, type ProductLine } from '../../server/verifiers/snp/product.ts';
import { type Certificate, parseCertificate } from '../../server/x509/certificate.ts';
import {
  createAuthority,
  createEndorsement,
  createList,
  type FakeAuthority,
  type FakeAuthorityOptions,
  type FakeEndorsementOptions,
  type FakeListOptions,
  type FakeRole,
} from './fake-amd-certificates.ts';
import {
  encodeFakeReport,
  encodeFakeTcb,
  type FakeReport,
  type FakeTcb,
  fakeReport,
  inField,
  signReport,
} from './snp-report.ts';

type Mutable<T> = { -readonly [Member in keyof T]: T[Member] };
type SignedFakeReport = FakeReport & {
  readonly signature: { readonly r: readonly number[]; readonly s: readonly number[] };
};

/** The evidence JSON of a guest. Mutable, so that a test can break one thing of it. */
export interface FakeEvidence {
  attestation_report: Mutable<SignedFakeReport>;
  cert_chain: { cert_type: string; data: number[] }[] | null;
}

export interface FakeEvidenceOptions {
  /** Milan */
  readonly product?: ProductLine;
  /** 3, on Turin 5 */
  readonly version?: number;
  readonly signingKey?: 'vcek' | 'vlek';
  readonly reportData?: Uint8Array;
  readonly hostData?: Uint8Array;
  /** Members of the report that are to be different, before it is signed. */
  readonly overrides?: Partial<FakeReport>;
  /** What is to be different about the endorsement key's certificate. */
  readonly certificate?: FakeEndorsementOptions | undefined;
  /** `none`: the guest sends no certificates. */
  readonly certificates?: 'endorsement-key' | 'none';
}

export interface FakeAmd {
  /** All product lines, all authorities pinned. */
  readonly anchors: SnpAnchors;
  /** Nothing but the roots pinned. */
  readonly rootAnchors: SnpAnchors;
  authority(product: ProductLine, role: FakeRole): FakeAuthority;
  authorityCertificate(product: ProductLine, role: FakeRole): Certificate;
  /** PEM of ASK, ARK and ASVK, as AMD publishes them. */
  pem(product: ProductLine): string;
  /** The private key of a chip at a TCB, or of a VLEK. The same for the same chip and TCB. */
  keyOf(product: ProductLine, chipIdHex: string, tcb: FakeTcb): KeyObject;
  /** Whether there is such a chip: whether somebody asked for its key. */
  knows(product: ProductLine, chipIdHex: string, tcb: FakeTcb): boolean;
  vcek(
    product: ProductLine,
    chipId: Uint8Array,
    tcb: FakeTcb,
    options?: FakeEndorsementOptions,
  ): Promise<Uint8Array>;
  vlek(product: ProductLine, tcb: FakeTcb, options?: FakeEndorsementOptions): Promise<Uint8Array>;
  revocationList(product: ProductLine, options?: FakeListOptions): Promise<Uint8Array>;
  /** Everything is right but what the options say. */
  evidence(options?: FakeEvidenceOptions): Promise<FakeEvidence>;
}

type FakeAmdOptions = Partial<Record<FakeRole, FakeAuthorityOptions>>;

const CSP_ID = 'CN=cc-test-1.example.com';
let shared: Promise<FakeAmd> | undefined;

/** One AMD for all tests of a file that need nothing special; making its keys takes a second. */
export async function sharedFakeAmd(): Promise<FakeAmd> {
  shared ??= createFakeAmd();
  return await shared;
}

/** An AMD of our own: its authorities, the keys of its chips, its revocation lists. */
export async function createFakeAmd(
  options: FakeAmdOptions = {},
  products: readonly ProductLine[] = PRODUCT_LINES,
): Promise<FakeAmd> {
  const authorities = new Map<string, FakeAuthority>();
  for (const product of products) {
    const root = await createAuthority(product, 'root', undefined, options.root);
    authorities.set(`${product} root`, root);
    authorities.set(`${product} vcek`, await createAuthority(product, 'vcek', root, options.vcek));
    authorities.set(`${product} vlek`, await createAuthority(product, 'vlek', root, options.vlek));
  }
  return new OwnAmd(authorities, products);
}

class OwnAmd implements FakeAmd {
  readonly #authorities: ReadonlyMap<string, FakeAuthority>;
  readonly #products: readonly ProductLine[];
  readonly #keys = new Map<string, KeyObject>();

  constructor(authorities: ReadonlyMap<string, FakeAuthority>, products: readonly ProductLine[]) {
    this.#authorities = authorities;
    this.#products = products;
  }

  get anchors(): SnpAnchors {
    const roles = ['root', 'vcek', 'vlek'] as const;
    return anchorsFromCertificates(
      this.#products.flatMap((product) => roles.map((role) => this.authorityCertificate(product, role))),
    );
  }

  get rootAnchors(): SnpAnchors {
    return anchorsFromCertificates(
      this.#products.map((product) => this.authorityCertificate(product, 'root')),
    );
  }

  authority(product: ProductLine, role: FakeRole): FakeAuthority {
    return this.#authorities.get(`${product} ${role}`)!;
  }

  authorityCertificate(product: ProductLine, role: FakeRole): Certificate {
    return parseCertificate(new Uint8Array(this.authority(product, role).certificate.rawData));
  }

  pem(product: ProductLine): string {
    const roles = ['vcek', 'root', 'vlek'] as const;
    return roles.map((role) => `${this.authority(product, role).certificate.toString('pem')}\n`).join('');
  }

  keyOf(product: ProductLine, chipIdHex: string, tcb: FakeTcb): KeyObject {
    const name = nameOfKey(product, chipIdHex, tcb);
    const key = this.#keys.get(name) ?? generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    this.#keys.set(name, key);
    return key;
  }

  knows(product: ProductLine, chipIdHex: string, tcb: FakeTcb): boolean {
    return this.#keys.has(nameOfKey(product, chipIdHex, tcb));
  }

  async vcek(
    product: ProductLine,
    chipId: Uint8Array,
    tcb: FakeTcb,
    options: FakeEndorsementOptions = {},
  ): Promise<Uint8Array> {
    const hardwareId = product === 'Turin' ? chipId.subarray(0, 8) : chipId;
    const key = this.keyOf(product, Buffer.from(chipId).toString('hex'), tcb);
    return await createEndorsement(product, this.authority(product, 'vcek'), key, tcb, {
      hardwareId,
      ...options,
    });
  }

  async vlek(product: ProductLine, tcb: FakeTcb, options: FakeEndorsementOptions = {}): Promise<Uint8Array> {
    const key = this.keyOf(product, 'vlek', tcb);
    return await createEndorsement(product, this.authority(product, 'vlek'), key, tcb, {
      cspId: CSP_ID,
      ...options,
    });
  }

  async revocationList(product: ProductLine, options: FakeListOptions = {}): Promise<Uint8Array> {
    return await createList(this.authority(product, 'root'), options);
  }

  async evidence(options: FakeEvidenceOptions = {}): Promise<FakeEvidence> {
    const settings = { product: 'Milan', signingKey: 'vcek', ...options } as const;
    const { product, signingKey } = settings;
    const report = reportFor(settings);
    const chipId = Uint8Array.from(report.chip_id);
    const owner = signingKey === 'vlek' ? 'vlek' : Buffer.from(chipId).toString('hex');
    const key = this.keyOf(product, owner, report.reported_tcb);
    const signature = signReport(encodeFakeReport(report, product), key);
    const attestation_report = { ...report, signature };
    if (options.certificates === 'none') return { attestation_report, cert_chain: null };
    const der =
      signingKey === 'vlek'
        ? await this.vlek(product, report.reported_tcb, options.certificate)
        : await this.vcek(product, chipId, report.reported_tcb, options.certificate);
    return { attestation_report, cert_chain: [{ cert_type: signingKey.toUpperCase(), data: [...der] }] };
  }
}

function nameOfKey(product: ProductLine, chipIdHex: string, tcb: FakeTcb): string {
  return `${product}/${chipIdHex}/${encodeFakeTcb(tcb, product).join('.')}`;
}

function reportFor(
  options: FakeEvidenceOptions & { readonly product: ProductLine; readonly signingKey: 'vcek' | 'vlek' },
): FakeReport {
  const { product, signingKey, version = product === 'Turin' ? 5 : 3 } = options;
  return {
    ...fakeReport(product, version),
    key_info: signingKey === 'vlek' ? 0b100 : 0,
    report_data: inField(64, options.reportData ?? new Uint8Array()),
    host_data: inField(32, options.hostData ?? new Uint8Array()),
    ...options.overrides,
  };
}
