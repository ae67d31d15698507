import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createDcapCollateralSource,
  type DcapCollateralSourceOptions,
} from '../../../server/intel-dcap/collateral-source.ts';
import type { FindDcapCollateral } from '../../../server/intel-dcap/dcap-collateral.ts';
import { createPcsClient } from '../../../server/intel-dcap/pcs-client.ts';
import { startFakePcs } from '../../fakes/fake-pcs.ts';
import { createMemoryCollateral, type MemoryCollateral } from '../../fakes/snp-memory-collateral.ts';
import {
  type CollateralPki,
  createCollateralPki,
  FMSPC,
  impatient,
  importInto,
  inDays,
  NOW,
  qeIdentity,
  tcbInfo,
} from './collateral-setup.ts';

const QUERY = { tee: 'tdx', fmspc: FMSPC, ca: 'platform' } as const;
const UNAVAILABLE = { name: 'CouldNotCheckError', code: 'COLLATERAL_UNAVAILABLE' };
const NO_LIST = { name: 'CouldNotCheckError', code: 'REVOCATION_LIST_UNAVAILABLE' };

describe('collateral without a service', () => {
  let pki: CollateralPki;
  let store: MemoryCollateral;

  beforeAll(async () => {
    pki = await createCollateralPki();
  });

  beforeEach(() => {
    store = createMemoryCollateral();
  });

  function offline(options: Partial<DcapCollateralSourceOptions> = {}): FindDcapCollateral {
    return createDcapCollateralSource({
      store,
      pcs: undefined,
      evaluation: 'standard',
      revocation: 'required',
      ...options,
    });
  }

  const importAll = async (...items: readonly (string | Uint8Array)[]) => {
    await importInto(store, items);
  };

  it('tells of the documents first where all is missing, however late that shows', async () => {
    const slow: typeof store = {
      ...store,
      async find(kind) {
        if (kind !== 'intel-crl') await delay(20);
        return undefined;
      },
    };
    await expect(offline({ store: slow })(QUERY, NOW)).rejects.toMatchObject(UNAVAILABLE);
  });

  it('finds what was imported, piece by piece', async () => {
    await importAll(tcbInfo(), qeIdentity(), await pki.list('platform'), await pki.list('root'));
    await importAll(pki.signingChain, pki.pckChains.platform);
    for (const evaluation of ['standard', 'early', 17] as const) {
      const found = await offline({ evaluation })(QUERY, NOW);
      expect(Buffer.from(found.tcbInfo.body).toString()).toBe(tcbInfo());
      expect(found.tcbInfo.issuerChain.map((der) => Buffer.from(der))).toEqual(
        [pki.signer, pki.root].map(({ certificate }) => Buffer.from(certificate.der)),
      );
    }
  });

  it('says what to import', async () => {
    const failed = offline()(QUERY, NOW);
    await expect(failed).rejects.toMatchObject(UNAVAILABLE);
    await expect(failed).rejects.toThrow(
      /TCB info for TDX of FMSPC 00806F050000.*TCB signing chain.*import it/,
    );
  });

  it('does not use a document of another number', async () => {
    await importAll(tcbInfo(), qeIdentity(), pki.signingChain);
    await expect(offline({ evaluation: 18, revocation: 'when-available' })(QUERY, NOW)).rejects.toThrow(
      /tcbEvaluationDataNumber 18/,
    );
  });

  it('uses the other evaluation where only that was imported', async () => {
    await importAll(tcbInfo(), qeIdentity(), pki.signingChain);
    for (const key of [...store.rows.keys()].filter((each) => each.endsWith('/early'))) {
      await store.put({ ...store.rows.get(key)!, body: Buffer.from('gone') });
    }
    await expect(
      offline({ evaluation: 'early', revocation: 'when-available' })(QUERY, NOW),
    ).resolves.toBeDefined();
  });

  it('gives what is past its time, for verification to judge', async () => {
    await importAll(
      tcbInfo(),
      qeIdentity(),
      pki.signingChain,
      await pki.list('platform'),
      await pki.list('root'),
    );
    await expect(offline()(QUERY, inDays(400))).resolves.toBeDefined();
  });

  it('could not check without revocation lists, unless they are wanted only when available', async () => {
    await importAll(tcbInfo(), qeIdentity(), pki.signingChain, await pki.list('platform'));
    await expect(offline()(QUERY, NOW)).rejects.toMatchObject(NO_LIST);
    const found = await offline({ revocation: 'when-available' })(QUERY, NOW);
    expect(found.pckCrl).toBeDefined();
    expect(found.rootCrl).toBeUndefined();
  });

  it('takes what another server exports', async () => {
    const pcs = await startFakePcs(await pki.content());
    const client = createPcsClient({ ...impatient, baseUrl: pcs.url, apiVersion: 4, evaluation: 'early' });
    const early = await offline({ evaluation: 'early', pcs: client })(QUERY, NOW);
    await pcs.close();
    const exported = [...store.rows.values()].map(({ body }) => body);
    store.clear();
    await importAll(...exported);
    expect(await offline({ evaluation: 'early' })(QUERY, NOW)).toEqual(early);
  });

  it('takes the list of another authority for none', async () => {
    const list = await pki.list('processor');
    await store.put({
      kind: 'intel-crl',
      key: 'platform',
      body: list,
      expiresAt: undefined,
      source: 'imported',
    });
    await importAll(tcbInfo(), qeIdentity(), pki.signingChain, await pki.list('root'));
    await expect(offline()(QUERY, NOW)).rejects.toMatchObject(NO_LIST);
  });
});
