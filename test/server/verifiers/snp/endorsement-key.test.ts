import 'reflect-metadata';
import { generateKeyPairSync } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  chipIdOf,
  type EndorsementKey,
  readEndorsementKey,
  requireKeyFits,
} from '../../../../server/verifiers/snp/endorsement-key.ts';
import { parseSnpReport } from '../../../../server/verifiers/snp/report.ts';
import { parseCertificate } from '../../../../server/x509/certificate.ts';
import { verifyChain } from '../../../../server/x509/chain.ts';
import { type FakeAmd, sharedFakeAmd } from '../../../fakes/fake-amd.ts';
import { AMD_OIDS, derInteger, type FakeEndorsementOptions } from '../../../fakes/fake-amd-certificates.ts';
import { encodeFakeReport, type FakeReport, fakeReport } from '../../../fakes/snp-report.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const milan = fakeReport('Milan', 3);
const turin = fakeReport('Turin', 5);
const chip = Uint8Array.from(milan.chip_id);
const turinChip = Uint8Array.from(turin.chip_id);

const without =
  (oid: string) =>
  (usual: readonly x509.Extension[]): readonly x509.Extension[] =>
    usual.filter(({ type }) => type !== oid);
const instead =
  (oid: string, ...value: readonly number[]) =>
  (usual: readonly x509.Extension[]): readonly x509.Extension[] => [
    ...without(oid)(usual),
    new x509.Extension(oid, false, Uint8Array.from(value)),
  ];

describe('endorsement keys', () => {
  let amd: FakeAmd;

  beforeAll(async () => {
    amd = await sharedFakeAmd();
  });

  async function readVcek(options: FakeEndorsementOptions = {}): Promise<EndorsementKey> {
    return read(await amd.vcek('Milan', chip, milan.reported_tcb, options), 'Milan', 'vcek');
  }

  function read(der: Uint8Array, product: 'Milan' | 'Turin', type: 'vcek' | 'vlek'): EndorsementKey {
    const anchor = amd.anchors.get(product)![type]!;
    return readEndorsementKey(verifyChain([parseCertificate(der)], [anchor], { at: NOW }));
  }

  it('reads a VCEK', async () => {
    const key = await readVcek({ productName: 'Milan-B0' });
    expect(key).toMatchObject({ type: 'vcek', product: 'Milan', cspId: undefined });
    expect(key.tcb).toEqual({ ...milan.reported_tcb, fmc: undefined });
    expect(key.chipId).toEqual(chip);
  });

  it('reads a hardware id in an OCTET STRING', async () => {
    const key = await readVcek({ extensions: instead(AMD_OIDS.hardwareId, 4, 64, ...chip) });
    expect(key.chipId).toEqual(chip);
  });

  it('reads a Turin VCEK, whose chip id is eight bytes', async () => {
    const key = read(await amd.vcek('Turin', turinChip, turin.reported_tcb), 'Turin', 'vcek');
    expect(key.chipId).toEqual(turinChip);
    expect(key.tcb.fmc).toBe(1);
    const boxed = { extensions: instead(AMD_OIDS.hardwareId, 4, 8, ...turinChip.subarray(0, 8)) };
    expect(
      read(await amd.vcek('Turin', turinChip, turin.reported_tcb, boxed), 'Turin', 'vcek').chipId,
    ).toEqual(turinChip);
  });

  it('reads a VLEK', async () => {
    const key = read(await amd.vlek('Milan', milan.reported_tcb), 'Milan', 'vlek');
    expect(key).toMatchObject({ type: 'vlek', chipId: undefined, cspId: 'CN=cc-test-1.example.com' });
  });

  it.each<[string, string, FakeEndorsementOptions]>([
    ['no product name', 'ENDORSEMENT_KEY_MALFORMED', { extensions: without(AMD_OIDS.productName) }],
    ['another product', 'ENDORSEMENT_KEY_MALFORMED', { productName: 'Rome-B0' }],
    [
      'a product name of another type',
      'ENDORSEMENT_KEY_MALFORMED',
      { extensions: instead(AMD_OIDS.productName, 4, 1, 65) },
    ],
    ['no bootloader', 'ENDORSEMENT_KEY_MALFORMED', { extensions: without(AMD_OIDS.bootloader) }],
    ['no tee', 'ENDORSEMENT_KEY_MALFORMED', { extensions: without(AMD_OIDS.tee) }],
    ['no snp', 'ENDORSEMENT_KEY_MALFORMED', { extensions: without(AMD_OIDS.snp) }],
    ['no microcode', 'ENDORSEMENT_KEY_MALFORMED', { extensions: without(AMD_OIDS.microcode) }],
    [
      'a microcode twice',
      'CERTIFICATE_MALFORMED',
      { extensions: (usual) => [...usual, derInteger(AMD_OIDS.microcode, 115)] },
    ],
    [
      'a microcode of 256',
      'ENDORSEMENT_KEY_MALFORMED',
      { extensions: instead(AMD_OIDS.microcode, 2, 2, 1, 0) },
    ],
    [
      'a negative microcode',
      'ENDORSEMENT_KEY_MALFORMED',
      { extensions: instead(AMD_OIDS.microcode, 2, 1, 0xff) },
    ],
    [
      'a microcode that is an OCTET STRING',
      'ENDORSEMENT_KEY_MALFORMED',
      { extensions: instead(AMD_OIDS.microcode, 4, 1, 115) },
    ],
    [
      'bytes behind the microcode',
      'ENDORSEMENT_KEY_MALFORMED',
      { extensions: instead(AMD_OIDS.microcode, 2, 1, 115, 0) },
    ],
    ['a hardware id of 63 bytes', 'ENDORSEMENT_KEY_MALFORMED', { hardwareId: chip.subarray(0, 63) }],
    [
      'a hardware id of eight bytes',
      'ENDORSEMENT_KEY_MALFORMED',
      { extensions: instead(AMD_OIDS.hardwareId, 4, 8, ...chip.subarray(0, 8)) },
    ],
    ['both a hardware id and a CSP id', 'ENDORSEMENT_KEY_MALFORMED', { cspId: 'CN=x' }],
    ['neither', 'ENDORSEMENT_KEY_MALFORMED', { extensions: without(AMD_OIDS.hardwareId) }],
    [
      'a P-256 key',
      'ENDORSEMENT_KEY_MALFORMED',
      { publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
    ],
    [
      'an RSA key',
      'ENDORSEMENT_KEY_MALFORMED',
      { publicKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey },
    ],
  ])('refuses a certificate with %s (%s)', async (_what, code, options) => {
    await expect(readVcek(options)).rejects.toMatchObject({ code });
  });

  it('refuses a Turin certificate without an fmc', async () => {
    const der = await amd.vcek('Turin', turinChip, turin.reported_tcb, { extensions: without(AMD_OIDS.fmc) });
    expect(() => read(der, 'Turin', 'vcek')).toThrow(
      expect.objectContaining({ code: 'ENDORSEMENT_KEY_MALFORMED' }),
    );
  });

  it('tells chips for the store, and other certificates apart', async () => {
    const vcek = parseCertificate(await amd.vcek('Milan', chip, milan.reported_tcb));
    expect(chipIdOf(vcek)).toMatchObject({ product: 'Milan', chipId: chip });
    expect(chipIdOf(parseCertificate(await amd.vlek('Milan', milan.reported_tcb)))).toBeUndefined();
  });

  describe('requireKeyFits', () => {
    const reportWith = (change: Partial<FakeReport>): ReturnType<typeof parseSnpReport> =>
      parseSnpReport(encodeFakeReport({ ...milan, ...change }, 'Milan'));

    it('accepts a key of this chip, TCB and product', async () => {
      const key = await readVcek();
      expect(() => {
        requireKeyFits(key, 'Milan', reportWith({}));
      }).not.toThrow();
    });

    it.each(['bootloader', 'tee', 'snp', 'microcode'] as const)('refuses another %s', async (component) => {
      const key = await readVcek();
      const reported_tcb = { ...milan.reported_tcb, [component]: 77 };
      expect(() => {
        requireKeyFits(key, 'Milan', reportWith({ reported_tcb }));
      }).toThrow(expect.objectContaining({ code: 'TCB_MISMATCH' }));
    });

    it.each<[string, string, Partial<FakeReport>]>([
      ['another chip', 'CHIP_ID_MISMATCH', { chip_id: [...milan.chip_id.slice(1), 0] }],
      ['a masked chip id', 'CHIP_ID_MISMATCH', { chip_id: milan.chip_id.map(() => 0) }],
      ['a report that a VLEK signed', 'SIGNING_KEY_MISMATCH', { key_info: 0b100 }],
    ])('refuses %s with %s', async (_what, code, change) => {
      const key = await readVcek();
      expect(() => {
        requireKeyFits(key, 'Milan', reportWith(change));
      }).toThrow(expect.objectContaining({ code }));
    });

    it('refuses a key of another product', async () => {
      const key = await readVcek();
      expect(() => {
        requireKeyFits(key, 'Genoa', reportWith({}));
      }).toThrow(expect.objectContaining({ code: 'PRODUCT_MISMATCH' }));
    });

    it('refuses a Turin chip id that goes on after eight bytes', async () => {
      const key = read(await amd.vcek('Turin', turinChip, turin.reported_tcb), 'Turin', 'vcek');
      const chip_id = turin.chip_id.with(63, 1);
      expect(() => {
        requireKeyFits(key, 'Turin', parseSnpReport(encodeFakeReport({ ...turin, chip_id }, 'Turin')));
      }).toThrow(expect.objectContaining({ code: 'CHIP_ID_MISMATCH' }));
    });
  });
});
