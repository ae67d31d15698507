import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Collateral } from '../../../server/collateral/collateral.ts';
import { classifyIntelCollateral } from '../../../server/intel-dcap/collateral-keys.ts';
import { factsOf, joinDocument, splitDocument } from '../../../server/intel-dcap/signed-document.ts';
import { issue } from '../x509/test-pki.ts';
import {
  type CollateralPki,
  createCollateralPki,
  FMSPC,
  inDays,
  NEXT_UPDATE,
  qeIdentity,
  tcbInfo,
} from './collateral-setup.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (body: Uint8Array): string => Buffer.from(body).toString();
const places = (rows: readonly Collateral[]): readonly string[] =>
  rows.map(({ kind, key }) => `${kind} ${key}`);

describe('classifyIntelCollateral', () => {
  let pki: CollateralPki;
  let lists: Readonly<Record<'root' | 'platform' | 'processor', Uint8Array>>;

  beforeAll(async () => {
    pki = await createCollateralPki();
    lists = {
      root: await pki.list('root'),
      platform: await pki.list('platform'),
      processor: await pki.list('processor'),
    };
  });

  it.each([
    ['a TCB info', tcbInfo(), [17, 'standard', 'early'].map((each) => `intel-tcb-info tdx/${FMSPC}/${each}`)],
    [
      'a TCB info for SGX in lower case, with a line end',
      `${tcbInfo({ tee: 'sgx', fmspc: FMSPC.toLowerCase(), evaluation: 3 })}\n`,
      [3, 'standard', 'early'].map((each) => `intel-tcb-info sgx/${FMSPC}/${each}`),
    ],
    [
      'a TCB info of version 2, which has no id',
      tcbInfo({ tee: 'sgx' }).replace('"id":"SGX","version":3', '"version":2'),
      [17, 'standard', 'early'].map((each) => `intel-tcb-info sgx/${FMSPC}/${each}`),
    ],
    ['an identity', qeIdentity(), [17, 'standard', 'early'].map((each) => `intel-qe-identity tdx/${each}`)],
    [
      'an identity for SGX',
      qeIdentity({ tee: 'sgx' }),
      [17, 'standard', 'early'].map((each) => `intel-qe-identity sgx/${each}`),
    ],
  ])('knows %s, whose bytes it keeps', (_what, body, expected) => {
    const rows = classifyIntelCollateral(bytes(body));
    expect(places(rows)).toEqual(expected);
    for (const row of rows) {
      expect(text(row.body)).toBe(body);
      expect(row).toMatchObject({ source: 'imported', expiresAt: NEXT_UPDATE });
    }
  });

  it.each([
    ['another enclave', qeIdentity().replace('TD_QE', 'QVE')],
    ['no signature', tcbInfo().replace('signature', 'sig')],
    ['no date', tcbInfo().replace('nextUpdate', 'next')],
    ['a date that is none', tcbInfo().replace('2026-07-01', '2026-02-30')],
    ['another platform id', tcbInfo({ fmspc: '../0806F050' })],
    ['a negative number', tcbInfo({ evaluation: -1 })],
    ['a member twice', tcbInfo().replace('{"tcbInfo"', '{"signature":"00","tcbInfo"')],
    ['something after it', `${tcbInfo()}x`],
    ['JSON of something else', '{"collaterals":{}}'],
    ['an array', '[]'],
    ['nothing', ''],
  ])('does not take a document with %s', (_what, body) => {
    expect(classifyIntelCollateral(bytes(body))).toEqual([]);
  });

  it.each(['root', 'platform', 'processor'] as const)(
    'knows the list of %s in DER, PEM and hex',
    (authority) => {
      const der = lists[authority];
      const hex = Buffer.from(der).toString('hex');
      const base64 = Buffer.from(der).toString('base64');
      const forms = [
        der,
        bytes(hex),
        bytes(`${hex.toUpperCase()}\n`),
        bytes(`-----BEGIN X509 CRL-----\n${base64}\n-----END X509 CRL-----\n`),
      ];
      for (const form of forms) {
        const rows = classifyIntelCollateral(form);
        expect(places(rows)).toEqual([`intel-crl ${authority}`]);
        expect(Buffer.from(rows[0]!.body)).toEqual(Buffer.from(der));
      }
    },
  );

  it('knows certificates of authorities in DER and PEM, and no others', async () => {
    expect(places(classifyIntelCollateral(pki.signer.certificate.der))).toEqual(['intel-ca tcb-signing']);
    expect(places(classifyIntelCollateral(bytes(pki.signingChain)))).toEqual([
      'intel-ca tcb-signing',
      'intel-ca root',
    ]);
    expect(places(classifyIntelCollateral(bytes(pki.pckChains.processor)))).toEqual([
      'intel-ca processor',
      'intel-ca root',
    ]);
    expect(classifyIntelCollateral((await issue('ARK-Milan')).certificate.der)).toEqual([]);
    expect(classifyIntelCollateral((await issue('Intel SGX PCK Certificate')).certificate.der)).toEqual([]);
  });

  it('knows a chain with its list in one PEM file', () => {
    const crl = `-----BEGIN X509 CRL-----\n${Buffer.from(lists.platform).toString('base64')}\n-----END X509 CRL-----\n`;
    expect(places(classifyIntelCollateral(bytes(crl + pki.pckChains.platform)))).toEqual([
      'intel-crl platform',
      'intel-ca platform',
      'intel-ca root',
    ]);
  });

  it('knows what an export writes: each row leads to itself', () => {
    const chain = [pki.signer, pki.root].map(({ certificate }) => certificate.der);
    const joined = joinDocument({ body: bytes(tcbInfo()), issuerChain: chain });
    const rows = classifyIntelCollateral(joined);
    expect(places(rows)).toContain(`intel-tcb-info tdx/${FMSPC}/standard`);
    for (const row of rows) {
      expect(Buffer.from(row.body)).toEqual(Buffer.from(joined));
      const split = splitDocument(row.body);
      expect(text(split!.body)).toBe(tcbInfo());
      expect(split!.issuerChain.map((der) => Buffer.from(der))).toEqual(chain.map((der) => Buffer.from(der)));
    }
  });

  describe("the file of Intel's PCS client tool", () => {
    const early = { evaluation: 18 } as const;

    /** TCB infos are written anew by the tool, with spaces; identities stay in strings. */
    function toolFile(changes: Readonly<Record<string, unknown>> = {}): string {
      const spaced = (json: string): string => JSON.stringify(JSON.parse(json), undefined, 1);
      const collaterals = {
        version: 4,
        pck_certs: [{ qe_id: 'x', certs: [] }],
        tcbinfos: ['TCB'],
        pckcacrl: {
          processorCrl: Buffer.from(lists.processor).toString('hex'),
          platformCrl: Buffer.from(lists.platform).toString('hex'),
        },
        qeidentity: qeIdentity({ tee: 'sgx' }),
        tdqeidentity: qeIdentity(),
        tdqeidentity_early: qeIdentity(early),
        qveidentity: '',
        qeidentity_early: '',
        certificates: {
          'TCB-Info-Issuer-Chain': encodeURIComponent(pki.signingChain),
          'SGX-Enclave-Identity-Issuer-Chain': encodeURIComponent(pki.signingChain),
          'SGX-PCK-Certificate-Issuer-Chain': { PLATFORM: encodeURIComponent(pki.pckChains.platform) },
        },
        rootcacrl: Buffer.from(lists.root).toString('hex'),
        rootcacrl_cdp: 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
        ...changes,
      };
      const entry = `{"fmspc": "${FMSPC}", "sgx_tcbinfo": ${spaced(tcbInfo({ tee: 'sgx' }))}, "tdx_tcbinfo": ${tcbInfo()}, "tdx_tcbinfo_early": ${tcbInfo(early)}}`;
      return JSON.stringify({ platforms: [], collaterals }, undefined, 1).replace('"TCB"', entry);
    }

    it('is taken apart, byte by byte as Intel signed it', () => {
      const rows = classifyIntelCollateral(bytes(toolFile()));
      const bodies = new Map(rows.map((row) => [`${row.kind} ${row.key}`, splitDocument(row.body)]));
      expect(new Set(bodies.keys())).toEqual(
        new Set([
          `intel-tcb-info sgx/${FMSPC}/17`,
          `intel-tcb-info sgx/${FMSPC}/standard`,
          `intel-tcb-info tdx/${FMSPC}/17`,
          `intel-tcb-info tdx/${FMSPC}/standard`,
          `intel-tcb-info tdx/${FMSPC}/18`,
          `intel-tcb-info tdx/${FMSPC}/early`,
          'intel-qe-identity sgx/17',
          'intel-qe-identity sgx/standard',
          'intel-qe-identity tdx/17',
          'intel-qe-identity tdx/standard',
          'intel-qe-identity tdx/18',
          'intel-qe-identity tdx/early',
          'intel-crl processor',
          'intel-crl platform',
          'intel-crl root',
          'intel-ca tcb-signing',
          'intel-ca platform',
          'intel-ca root',
        ]),
      );
      expect(text(bodies.get(`intel-tcb-info sgx/${FMSPC}/standard`)!.body)).toBe(tcbInfo({ tee: 'sgx' }));
      expect(text(bodies.get(`intel-tcb-info tdx/${FMSPC}/early`)!.body)).toBe(tcbInfo(early));
      expect(text(bodies.get('intel-qe-identity tdx/early')!.body)).toBe(qeIdentity(early));
      expect(bodies.get('intel-qe-identity tdx/standard')!.issuerChain).toHaveLength(2);
    });

    it('may have objects where the tool writes strings', () => {
      const rows = classifyIntelCollateral(bytes(toolFile({ tdqeidentity: JSON.parse(qeIdentity()) })));
      const row = rows.find(({ kind, key }) => kind === 'intel-qe-identity' && key === 'tdx/standard');
      expect(text(splitDocument(row!.body)!.body)).toBe(qeIdentity());
    });

    it.each([
      ['an identity that is none', { qeidentity: '{}' }],
      ['an identity that is no JSON', { qeidentity: 'x' }],
      ['a chain that is no PEM', { certificates: { 'TCB-Info-Issuer-Chain': '%zz' } }],
      ['TCB infos that are no list', { tcbinfos: '' }],
      ['certificates that are no object', { certificates: [] }],
    ])('is refused as a whole with %s', (_what, changes) => {
      expect(classifyIntelCollateral(bytes(toolFile(changes)))).toEqual([]);
    });
  });

  it('never throws on what the bytes are', () => {
    const good = [bytes(tcbInfo()), lists.root, bytes(pki.signingChain)];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        expect(classifyIntelCollateral(random)).toEqual([]);
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...good), fc.nat(), fc.nat({ max: 255 }), (from, where, value) => {
        const at = where % from.byteLength;
        classifyIntelCollateral(from.with(at, value));
        expect(
          places(classifyIntelCollateral(from.subarray(0, at))).filter(
            (place) => !place.includes('intel-ca'),
          ),
        ).toEqual([]);
      }),
    );
  });
});

describe('factsOf', () => {
  it('reads what a document says about itself', () => {
    expect(factsOf(bytes(tcbInfo({ issued: inDays(1), evaluation: 20 })))).toEqual({
      type: 'tcb-info',
      tee: 'tdx',
      fmspc: FMSPC,
      evaluation: 20,
      issuedAt: inDays(1),
      nextUpdate: inDays(31),
    });
    expect(factsOf(new Uint8Array((1 << 20) + 1))).toBeUndefined();
  });
});
