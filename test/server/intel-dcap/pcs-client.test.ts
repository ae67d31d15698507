import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPcsClient, type PcsClient, type PcsOptions } from '../../../server/intel-dcap/pcs-client.ts';
import { type FakePcs, type FakePcsContent, type FakePcsMood, startFakePcs } from '../../fakes/fake-pcs.ts';
import {
  type CollateralPki,
  createCollateralPki,
  FMSPC,
  impatient,
  NOW,
  qeIdentity,
  tcbInfo,
} from './collateral-setup.ts';

const after = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);
const UNAVAILABLE = { name: 'CouldNotCheckError', code: 'COLLATERAL_UNAVAILABLE' };
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('createPcsClient', () => {
  let pki: CollateralPki;
  let content: FakePcsContent;
  let pcs: FakePcs;
  let client: PcsClient;

  beforeAll(async () => {
    pki = await createCollateralPki();
    content = await pki.content();
  });

  beforeEach(async () => {
    pcs = await startFakePcs(content);
    client = clientWith();
  });

  afterEach(async () => {
    await pcs.close();
  });

  function clientWith(options: Partial<PcsOptions> = {}): PcsClient {
    return createPcsClient({
      ...impatient,
      baseUrl: pcs.url,
      apiVersion: 4,
      evaluation: 'standard',
      ...options,
    });
  }
  const fetchTcbInfo = async (at = NOW, by = client) => await by.fetchTcbInfo('tdx', FMSPC, at);
  const chainOf = (...certificates: readonly { readonly certificate: { readonly der: Uint8Array } }[]) =>
    certificates.map(({ certificate }) => Buffer.from(certificate.der));
  const buffers = (ders: readonly Uint8Array[]) => ders.map((der) => Buffer.from(der));

  it('asks for everything in the form of version 4', async () => {
    const info = await fetchTcbInfo();
    expect(text(info.body)).toBe(tcbInfo());
    expect(buffers(info.issuerChain)).toEqual(chainOf(pki.signer, pki.root));
    const identity = await client.fetchQeIdentity('tdx', NOW);
    expect(text(identity.body)).toBe(qeIdentity());
    expect(buffers(identity.issuerChain)).toEqual(chainOf(pki.signer, pki.root));
    await client.fetchQeIdentity('sgx', NOW);
    const list = await client.fetchPckRevocationList('platform', NOW);
    expect(Buffer.from(list.der)).toEqual(Buffer.from(content.revocationLists!['platform']!));
    expect(buffers(list.issuerChain)).toEqual(chainOf(pki.platform, pki.root));
    await client.fetchPckRevocationList('processor', NOW);
    const rootList = await client.fetchRootRevocationList(NOW);
    expect(Buffer.from(rootList)).toEqual(Buffer.from(content.revocationLists!['root']!));
    expect(pcs.requests).toEqual([
      `/tdx/certification/v4/tcb?fmspc=${FMSPC}&update=standard`,
      '/tdx/certification/v4/qe/identity?update=standard',
      '/sgx/certification/v4/qe/identity?update=standard',
      '/sgx/certification/v4/pckcrl?ca=platform&encoding=der',
      '/sgx/certification/v4/pckcrl?ca=processor&encoding=der',
      '/sgx/certification/v4/rootcacrl',
    ]);
  });

  it('asks in the form of version 3, whose header has another name', async () => {
    const by = clientWith({ apiVersion: 3 });
    const info = await by.fetchTcbInfo('sgx', FMSPC, NOW);
    expect(buffers(info.issuerChain)).toEqual(chainOf(pki.signer, pki.root));
    await by.fetchRootRevocationList(NOW);
    expect(pcs.requests).toEqual([
      `/sgx/certification/v3/tcb?fmspc=${FMSPC}&update=standard`,
      '/sgx/certification/v3/rootcacrl',
    ]);
    await expect(fetchTcbInfo(NOW, by)).rejects.toMatchObject(UNAVAILABLE);
  });

  it.each<[PcsOptions['evaluation'], string, number]>([
    ['early', 'update=early', 18],
    ['standard', 'update=standard', 17],
    [17, 'tcbEvaluationDataNumber=17', 17],
  ])('asks for the evaluation %s by %s', async (evaluation, query, number) => {
    const info = await fetchTcbInfo(NOW, clientWith({ evaluation }));
    expect(text(info.body)).toContain(`"tcbEvaluationDataNumber":${number}`);
    expect(pcs.requests).toEqual([`/tdx/certification/v4/tcb?fmspc=${FMSPC}&${query}`]);
  });

  it.each([
    ['', ''],
    ['/', ''],
    ['/sgx/certification/v4/', ''],
    ['/tdx/certification/v4?x=1', ''],
    ['/pccs', '/pccs'],
    ['/pccs/sgx/certification/v4/', '/pccs'],
  ])('keeps of the configured path %s only %s', async (path, prefix) => {
    await fetchTcbInfo(NOW, clientWith({ baseUrl: `${pcs.url}${path}` }));
    expect(pcs.requests[0]).toMatch(new RegExp(`^${prefix}/tdx/certification/v4/tcb\\?`));
  });

  it("fetches the root's list from its own host where the service is Intel's, and keeps the key from it", async () => {
    const asked: [string, string | null][] = [];
    const recording: typeof globalThis.fetch = async (input, init) => {
      asked.push([new Request(input).url, new Headers(init?.headers).get('ocp-apim-subscription-key')]);
      return await Promise.resolve(new Response(Buffer.from(content.revocationLists!['root']!)));
    };
    const baseUrl = 'https://api.trustedservices.intel.com/sgx/certification/v4/';
    const by = clientWith({ baseUrl, fetch: recording, apiKey: 'secret' });
    await by.fetchRootRevocationList(NOW);
    await by.fetchPckRevocationList('platform', NOW).catch(() => undefined);
    expect(asked).toEqual([
      ['https://certificates.trustedservices.intel.com/IntelSGXRootCA.der', null],
      [
        'https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der',
        'secret',
      ],
    ]);
  });

  it('sends the key where there is one', async () => {
    pcs.requireKey('secret');
    await expect(fetchTcbInfo(NOW, clientWith({ apiKey: 'secret' }))).resolves.toBeDefined();
    const refused = fetchTcbInfo();
    await expect(refused).rejects.toMatchObject(UNAVAILABLE);
    await expect(refused).rejects.toThrow(/status 401/);
  });

  it('reads lists in hex, as caching services send them', async () => {
    pcs.listsAs('hex');
    const list = await client.fetchPckRevocationList('platform', NOW);
    expect(Buffer.from(list.der)).toEqual(Buffer.from(content.revocationLists!['platform']!));
    const rootList = await client.fetchRootRevocationList(NOW);
    expect(Buffer.from(rootList)).toEqual(Buffer.from(content.revocationLists!['root']!));
  });

  it('takes a document without the certificates of its issuer', async () => {
    pcs.mood('no-chain');
    await expect(fetchTcbInfo()).resolves.toMatchObject({ issuerChain: [] });
  });

  it.each<[FakePcsMood, number]>([
    [404, 1],
    [410, 1],
    [429, 1],
    [500, 2],
    [503, 2],
    ['slow', 2],
    ['hangs-up', 2],
    ['huge', 1],
    ['redirect', 2],
    ['garbage', 1],
    ['bad-chain', 1],
  ])(
    'could not check when the service answers %s, after %i requests, and says what it wanted',
    async (mood, requests) => {
      pcs.mood(mood);
      const failed = fetchTcbInfo();
      await expect(failed).rejects.toMatchObject(UNAVAILABLE);
      await expect(failed).rejects.toThrow(`the TCB info for TDX of FMSPC ${FMSPC}`);
      expect(pcs.requests).toHaveLength(requests);
    },
  );

  it.each<[string, FakePcsContent]>([
    ['of another platform', { tcbInfos: { [`tdx/${FMSPC}`]: tcbInfo({ fmspc: '90C06F000000' }) } }],
    ['of another TEE', { tcbInfos: { [`tdx/${FMSPC}`]: tcbInfo({ tee: 'sgx' }) } }],
    ['that is an identity', { tcbInfos: { [`tdx/${FMSPC}`]: qeIdentity() } }],
    ['without dates', { tcbInfos: { [`tdx/${FMSPC}`]: tcbInfo().replaceAll('issueDate', 'date') } }],
    ['that is cut', { tcbInfos: { [`tdx/${FMSPC}`]: tcbInfo().slice(0, -1) } }],
  ])('does not take a TCB info %s', async (_what, wrong) => {
    pcs.content(wrong);
    await expect(fetchTcbInfo()).rejects.toMatchObject(UNAVAILABLE);
  });

  it('does not take another evaluation than the one with the number', async () => {
    const by = clientWith({ evaluation: 16 });
    await expect(fetchTcbInfo(NOW, by)).rejects.toThrow(/tcbEvaluationDataNumber 16, got 17/);
  });

  it('does not take the identity of the other quoting enclave', async () => {
    pcs.content({ qeIdentities: { tdx: qeIdentity({ tee: 'sgx' }) } });
    await expect(client.fetchQeIdentity('tdx', NOW)).rejects.toMatchObject(UNAVAILABLE);
  });

  it('does not take the list of another authority', async () => {
    const { platform } = content.revocationLists!;
    pcs.content({ revocationLists: { processor: platform!, root: platform! } });
    await expect(client.fetchPckRevocationList('processor', NOW)).rejects.toMatchObject(UNAVAILABLE);
    await expect(client.fetchRootRevocationList(NOW)).rejects.toMatchObject(UNAVAILABLE);
  });

  it('could not check when nobody answers', async () => {
    await pcs.close();
    await expect(fetchTcbInfo()).rejects.toMatchObject(UNAVAILABLE);
    pcs = await startFakePcs(content);
  });

  it('tries again after a failure of the service', async () => {
    pcs.mood(500, 1);
    await expect(fetchTcbInfo()).resolves.toBeDefined();
    expect(pcs.requests).toHaveLength(2);
  });

  it('waits when it is asked to wait for a moment', async () => {
    pcs.mood(429, 1);
    pcs.retryAfter('1');
    await expect(fetchTcbInfo()).resolves.toBeDefined();
    expect(pcs.requests).toHaveLength(2);
  });

  it('remembers that a platform is unknown, for that platform alone', async () => {
    pcs.moodOf('tcb?fmspc=ABCDEF012345', 404);
    const unknown = async (at: Date) => await client.fetchTcbInfo('tdx', 'ABCDEF012345', at);
    await expect(unknown(NOW)).rejects.toMatchObject(UNAVAILABLE);
    await expect(unknown(after(299))).rejects.toMatchObject(UNAVAILABLE);
    expect(pcs.requests).toHaveLength(1);
    await expect(fetchTcbInfo()).resolves.toBeDefined();
    await expect(unknown(after(301))).rejects.toMatchObject(UNAVAILABLE);
    expect(pcs.requests).toHaveLength(3);
  });

  it.each([
    [undefined, 30],
    ['7', 7],
    ['86400', 600],
    ['soon', 30],
    ['Mon, 01 Jun 2026 12:01:00 GMT', 60],
  ])(
    'leaves the service alone after too many requests (Retry-After %s: %i seconds)',
    async (header, seconds) => {
      pcs.mood(429, 1);
      if (header !== undefined) pcs.retryAfter(header);
      await expect(fetchTcbInfo()).rejects.toMatchObject(UNAVAILABLE);
      await expect(client.fetchQeIdentity('tdx', after(seconds - 1))).rejects.toMatchObject(UNAVAILABLE);
      expect(pcs.requests).toHaveLength(1);
      await expect(client.fetchQeIdentity('tdx', after(seconds + 1))).resolves.toBeDefined();
    },
  );

  it('waits less after a failure, and not at all when the clock was set back', async () => {
    pcs.mood(500, 2);
    await expect(fetchTcbInfo()).rejects.toMatchObject(UNAVAILABLE);
    await expect(fetchTcbInfo(after(4))).rejects.toMatchObject(UNAVAILABLE);
    expect(pcs.requests).toHaveLength(2);
    await expect(fetchTcbInfo(after(-3600))).resolves.toBeDefined();
    await expect(fetchTcbInfo(after(6))).resolves.toBeDefined();
  });

  it('pauses when several requests in a row failed, and asks one to see whether that is over', async () => {
    pcs.mood(500);
    const by = clientWith({ retries: 0, pauseMilliseconds: 100 });
    const ask = async (index: number) => await by.fetchTcbInfo('tdx', `00000000000${index}`, NOW);
    for (let index = 0; index < 5; index++) await expect(ask(index)).rejects.toThrow(/status 500/);
    await expect(ask(5)).rejects.toThrow(/5 requests in a row failed/);
    expect(pcs.requests).toHaveLength(5);
    pcs.mood('well');
    await expect.poll(async () => await fetchTcbInfo(NOW, by).catch(() => undefined)).toBeDefined();
  });

  it('bounds how many requests wait', async () => {
    pcs.mood('slow');
    const by = clientWith({ retries: 0, deadlineMilliseconds: 100 });
    const results = await Promise.allSettled(
      Array.from({ length: 80 }, async (_, index) => {
        await by.fetchTcbInfo('tdx', `0000000000${index + 10}`, NOW);
      }),
    );
    const codes = results.map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'fetched'));
    expect(codes.filter((code) => code === 'OVERLOADED')).toHaveLength(80 - 4 - 64);
    expect(new Set(codes)).toEqual(new Set(['OVERLOADED', 'COLLATERAL_UNAVAILABLE']));
  });
});

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
