import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { type PckExtension, readPckExtension } from '../../../server/intel-dcap/pck-certificate.ts';
import { createPckChainProver } from '../../../server/intel-dcap/pck-chain.ts';
import { extension, parseCertificate } from '../../../server/x509/certificate.ts';
import type { VerifiedCertificate } from '../../../server/x509/chain.ts';
import { type FakeIntel, sharedFakeIntel } from '../../fakes/fake-intel.ts';
import {
  der,
  derBoolean,
  derInteger,
  derOctets,
  derSequence,
  type FakePckOptions,
  SGX_OID,
  sgxMember,
} from '../../fakes/fake-intel-certificates.ts';
import { filled } from '../../fakes/quote-bytes.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
/** Where the members are in the extension. */
const PPID = 0;
const TCB = 1;
const FMSPC = 3;
const SGX_TYPE = 4;
const INSTANCE_ID = 5;
const CONFIGURATION = 6;

let intel: FakeIntel;

beforeAll(async () => {
  intel = await sharedFakeIntel();
});

async function extensionOf(options: FakePckOptions): Promise<PckExtension> {
  const { chain } = await intel.pck(options);
  return createPckChainProver(intel.anchors)(Buffer.from(chain), NOW).extension;
}

describe('readPckExtension', () => {
  it('reads the certificate of a platform', async () => {
    const extension = await extensionOf({
      ppid: filled(16, 0x11),
      components: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 127, 128, 255],
      pceSvn: 0xfffe,
      cpuSvn: filled(16, 0x22),
      pceId: '0a0b',
      fmspc: '00a0b0c0d0ef',
      sgxType: 2,
      platformInstanceId: filled(16, 0x33),
      dynamicPlatform: false,
      cachedKeys: true,
      smtEnabled: false,
    });
    expect(extension).toEqual({
      ppid: filled(16, 0x11),
      components: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 127, 128, 255],
      pceSvn: 0xfffe,
      cpuSvn: filled(16, 0x22),
      pceId: '0A0B',
      fmspc: '00A0B0C0D0EF',
      sgxType: 'Scalable with Integrity',
      platformInstanceId: filled(16, 0x33),
      configuration: { dynamicPlatform: false, cachedKeys: true, smtEnabled: false },
    });
  });

  it('reads the certificate of a processor', async () => {
    const extension = await extensionOf({ ca: 'processor', sgxType: 0 });
    expect(extension).toMatchObject({ sgxType: 'Standard', fmspc: '00806F050000' });
    expect(extension.platformInstanceId).toBeUndefined();
    expect(extension.configuration).toBeUndefined();
  });

  it('reads members in any order', async () => {
    const usual = await extensionOf({});
    await expect(extensionOf({ members: (members) => members.toReversed() })).resolves.toEqual(usual);
  });

  it.each<[string, FakePckOptions]>([
    ['no extension', { extensions: (usual) => usual.filter(({ type }) => type !== SGX_OID) }],
    ['a component above 255', { components: [256, ...filled(15, 0)] }],
    ['a component too many', { components: [...filled(17, 0)] }],
    ['a component too few', { components: [...filled(15, 0)] }],
    ['a PCE SVN above 65535', { pceSvn: 0x1_0000 }],
    ['a short PPID', { ppid: filled(15, 1) }],
    ['a long PPID', { ppid: filled(17, 1) }],
    ['a short CPU SVN', { cpuSvn: filled(15, 1) }],
    ['a long FMSPC', { fmspc: '00000000000000' }],
    ['a long PCE id', { pceId: '000000' }],
    ['an SGX type of 3', { sgxType: 3 }],
    ['a short instance id', { platformInstanceId: filled(8, 1) }],
    ['a platform without instance id', { members: (usual) => usual.toSpliced(INSTANCE_ID, 1) }],
    ['a platform without configuration', { members: (usual) => usual.toSpliced(CONFIGURATION, 1) }],
    ['a platform with the extension of a processor', { members: (usual) => usual.slice(0, INSTANCE_ID) }],
    [
      'a processor with an instance id',
      { ca: 'processor', members: (usual) => [...usual, sgxMember('6', derOctets(filled(16, 1)))] },
    ],
    [
      'a processor with a configuration',
      { ca: 'processor', members: (usual) => [...usual, sgxMember('7', derSequence())] },
    ],
    ['no PPID', { members: (usual) => usual.toSpliced(PPID, 1) }],
    ['no TCB', { members: (usual) => usual.toSpliced(TCB, 1) }],
    ['no FMSPC', { members: (usual) => usual.toSpliced(FMSPC, 1) }],
    ['no SGX type', { members: (usual) => usual.toSpliced(SGX_TYPE, 1) }],
    ['no members', { members: () => [] }],
    ['two FMSPCs', { members: (usual) => [...usual, usual[FMSPC]!] }],
    ['an unknown member', { members: (usual) => [...usual, sgxMember('8', derInteger(1))] }],
    [
      'a member of another root',
      { members: (usual) => [...usual, derSequence(der(0x06, [0x2a, 0x03]), derInteger(1))] },
    ],
    [
      'over 32 members',
      { members: () => Array.from({ length: 33 }, (_, n) => sgxMember(`9.${n}`, derInteger(1))) },
    ],
    [
      'a member of two values',
      {
        members: (usual) =>
          usual.with(
            FMSPC,
            derSequence(
              der(0x06, [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, 4]),
              derOctets(filled(6, 1)),
              derOctets(filled(6, 2)),
            ),
          ),
      },
    ],
    ['an FMSPC that is an INTEGER', { members: (usual) => usual.with(FMSPC, sgxMember('4', derInteger(4))) }],
    [
      'a negative component',
      {
        members: (usual) => usual.with(TCB, sgxMember('2', derSequence(sgxMember('2.1', der(0x02, [0xff]))))),
      },
    ],
    [
      'a configuration with a member missing',
      { members: (usual) => usual.with(CONFIGURATION, sgxMember('7', configuration(['7.1', '7.2']))) },
    ],
    [
      'a configuration with a member too many',
      {
        members: (usual) =>
          usual.with(CONFIGURATION, sgxMember('7', configuration(['7.1', '7.2', '7.3', '7.4']))),
      },
    ],
    [
      'a boolean of 01',
      {
        members: (usual) =>
          usual.with(
            CONFIGURATION,
            sgxMember(
              '7',
              derSequence(
                sgxMember('7.1', der(0x01, [1])),
                sgxMember('7.2', derBoolean(true)),
                sgxMember('7.3', derBoolean(true)),
              ),
            ),
          ),
      },
    ],
    ['bytes after the extension', { extensions: replaced((value) => Uint8Array.of(...value, 0)) }],
    ['an extension that ends early', { extensions: replaced((value) => value.subarray(0, -1)) }],
  ])('refuses %s', async (_what, options) => {
    await expect(extensionOf(options)).rejects.toMatchObject({ code: 'PCK_EXTENSION_MALFORMED' });
  });

  it('never throws a foreign error', async () => {
    const leaf = parseCertificate((await intel.pck()).certificate);
    const usual = extension(leaf, SGX_OID)!.value;
    const change = fc.record({ at: fc.nat({ max: usual.byteLength - 1 }), byte: fc.nat({ max: 255 }) });
    const changed = fc.array(change, { maxLength: 3 }).map((changes) => {
      const value = Uint8Array.from(usual);
      for (const { at, byte } of changes) value[at] = byte;
      return value;
    });
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 600 })), (value) => {
        const extensions = new Map([[SGX_OID, { critical: false, value }]]);
        try {
          readPckExtension({ extensions } as unknown as VerifiedCertificate, 'platform');
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

function configuration(names: readonly string[]): Uint8Array {
  return derSequence(...names.map((name) => sgxMember(name, derBoolean(true))));
}

/** The SGX extension with another value. */
function replaced(change: (value: Uint8Array) => Uint8Array): NonNullable<FakePckOptions['extensions']> {
  return (usual) =>
    usual.map((extension) => {
      if (extension.type !== SGX_OID) return extension;
      const Extension = extension.constructor as new (
        type: string,
        critical: boolean,
        value: Uint8Array,
      ) => typeof extension;
      return new Extension(SGX_OID, false, Uint8Array.from(change(new Uint8Array(extension.value))));
    });
}
