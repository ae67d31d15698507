import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttesterError } from '../../../../agent/attestation-agent/attesters/attester-error.ts';
import {
  type Detection,
  type DetectOptions,
  detectTees,
} from '../../../../agent/attestation-agent/attesters/detect.ts';
import { createTsmReporter } from '../../../../agent/attestation-agent/attesters/tsm/tsm-report.ts';
import { fakeConfigfsTsm } from '../../../fakes/fake-configfs-tsm.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'verigo-root-'));
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

/** What the file system of a guest has: folders end in a slash. */
async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(path.endsWith('/') ? join(root, path) : dirname(join(root, path)), { recursive: true });
    if (!path.endsWith('/')) await writeFile(join(root, path), text);
  }
}

interface Surroundings extends Partial<Omit<DetectOptions, 'readHclType'>> {
  readonly provider?: string;
  readonly hcl?: 'snp' | 'tdx';
}

async function detect({ provider, hcl, ...options }: Surroundings = {}): Promise<Detection> {
  const { fileSystem } = fakeConfigfsTsm({ provider });
  return await detectTees({
    root,
    env: {},
    architecture: 'x64',
    reporter: createTsmReporter({ fileSystem }),
    readHclType: async () => {
      if (hcl !== undefined) return hcl;
      throw new AttesterError('TPM_FAILED', 'expected tpm2_nvread to succeed, got 0x18b');
    },
    dangerouslyAttestAsSample: false,
    dangerouslyAttestWithSampleDevice: false,
    ...options,
  });
}

const SNP = { '/sys/devices/platform/sev-guest/': '' };
const TPM = { '/dev/tpm0': '' };

describe('detectTees', () => {
  it.each<[string, string, Readonly<Record<string, string>>, Surroundings]>([
    ['tdx', 'configfs-tsm of tdx_guest', {}, { provider: 'tdx_guest' }],
    ['tdx', '/dev/tdx_guest exists', { '/dev/tdx_guest': '' }, {}],
    ['sgx', 'OCCLUM is set', {}, { env: { OCCLUM: '' } }],
    ['sgx', "says 'dcap'", { '/dev/attestation/attestation_type': 'dcap' }, {}],
    ['az-tdx-vtpm', 'HCL report around tdx', TPM, { hcl: 'tdx' }],
    ['az-snp-vtpm', 'HCL report around snp', TPM, { hcl: 'snp' }],
    ['snp', '/sys/devices/platform/sev-guest exists', SNP, {}],
    ['snp', 'configfs-tsm of sev_guest', {}, { provider: 'sev_guest' }],
    ['csv', '/dev/csv-guest exists', { '/dev/csv-guest': '' }, {}],
    ['cca', 'configfs-tsm of arm_cca_guest', {}, { provider: 'arm_cca_guest', architecture: 'arm64' }],
    ['se', "says '1'", { '/sys/firmware/uv/prot_virt_guest': '1\n' }, {}],
    ['tpm', '/dev/tpm0 can be opened', TPM, {}],
  ])('finds %s: %s', async (tee, why, files, surroundings) => {
    await put(files);
    const { primary, findings } = await detect(surroundings);
    expect(primary).toMatchObject({
      tee,
      kind: 'cpu',
      found: true,
      why: expect.stringContaining(why) as string,
    });
    expect(findings).toContain(primary);
  });

  it('takes the first of several, in this order', async () => {
    await put({
      ...SNP,
      ...TPM,
      '/dev/csv-guest': '',
      '/dev/tdx_guest': '',
      '/sys/firmware/uv/prot_virt_guest': '1',
    });
    const all = { hcl: 'snp', env: { OCCLUM: '1' }, dangerouslyAttestAsSample: true } as const;
    const { findings, primary } = await detect(all);
    expect(primary?.tee).toBe('tdx');
    expect(findings.filter(({ kind }) => kind === 'cpu').map(({ tee, found }) => [tee, found])).toEqual([
      ['tdx', true],
      ['sgx', true],
      ['az-tdx-vtpm', false],
      ['az-snp-vtpm', true],
      ['snp', true],
      ['csv', true],
      ['cca', false],
      ['se', true],
      ['tpm', true],
      ['sample', true],
    ]);
  });

  it('A14: finds nothing where there is nothing, and says why of each; never the sample', async () => {
    const { primary, devices, findings } = await detect();
    expect(primary).toBeUndefined();
    expect(devices).toEqual([]);
    expect(findings).toHaveLength(14);
    for (const finding of findings) {
      expect(finding.found).toBe(false);
      expect(finding.why).not.toBe('');
      expect(finding.why).not.toContain(root);
    }
  });

  it('A14: finds the sample where it is configured, and nothing better', async () => {
    expect((await detect({ dangerouslyAttestAsSample: true })).primary?.tee).toBe('sample');
    await put(SNP);
    expect((await detect({ dangerouslyAttestAsSample: true })).primary?.tee).toBe('snp');
  });

  it.each(['', '0', 'false', '1', 'true'])(
    'A19: takes no sample device from ENABLE_SAMPLE_DEVICE=%j',
    async (value) => {
      const { devices, findings } = await detect({ env: { ENABLE_SAMPLE_DEVICE: value } });
      expect(devices).toEqual([]);
      expect(findings.at(-1)).toMatchObject({
        tee: 'sampledevice',
        why: expect.stringContaining('ENABLE_SAMPLE_DEVICE is not looked at') as string,
      });
    },
  );

  it.each<[string, Readonly<Record<string, string>>, Surroundings]>([
    ['nvidia', { '/proc/driver/nvidia/gpus/': '' }, {}],
    ['hygondcu', { '/dev/mkfd': '', '/sys/class/kfd/kfd/topology/nodes/': '' }, {}],
    ['sampledevice', {}, { dangerouslyAttestWithSampleDevice: true }],
    [
      'dpu',
      {
        '/sys/bus/pci/devices/0000:00:01.0/vendor': '0x8086\n',
        '/sys/bus/pci/devices/0000:03:00.0/vendor': '0x15b3\n',
        '/sys/bus/pci/devices/0000:03:00.0/device': '0xa2dc\n',
      },
      {},
    ],
  ])('finds the device %s (A15: and DPUs among them)', async (tee, files, surroundings) => {
    await put(files);
    const { devices } = await detect(surroundings);
    expect(devices).toMatchObject([{ tee, kind: 'device', found: true }]);
  });

  it.each<[string, Readonly<Record<string, string>>, Surroundings]>([
    ['Gramine without DCAP', { '/dev/attestation/attestation_type': 'epid' }, {}],
    ['a host that could run Secure Execution', { '/sys/firmware/uv/prot_virt_guest': '0\n' }, {}],
    ['CCA reports on another architecture', {}, { provider: 'arm_cca_guest' }],
    [
      'another device of Mellanox',
      { '/sys/bus/pci/devices/a/vendor': '0x15b3', '/sys/bus/pci/devices/a/device': '0x1017' },
      {},
    ],
    ['the node of a DCU without topology', { '/dev/mkfd': '' }, {}],
    ['an HCL report without a TPM', {}, { hcl: 'snp' }],
  ])('does not take %s for anything', async (_what, files, surroundings) => {
    await put(files);
    const { primary, devices } = await detect(surroundings);
    expect([primary, devices]).toEqual([undefined, []]);
  });

  it('takes the TPM with a resource manager first, and that of AA_TPM_DEVICE alone where it is set', async () => {
    await put({ '/dev/tpm0': '', '/dev/tpmrm0': '', '/dev/tpm7': '' });
    const deviceWith = async (env: DetectOptions['env']): Promise<string | undefined> =>
      (await detect({ env })).primary?.device;
    expect(await deviceWith({})).toBe('/dev/tpmrm0');
    expect(await deviceWith({ AA_TPM_DEVICE: '/dev/tpm7' })).toBe('/dev/tpm7');
    expect(await deviceWith({ AA_TPM_DEVICE: '/dev/tpm8' })).toBeUndefined();
  });

  it('says why an HCL report could not be read', async () => {
    await put(TPM);
    const { findings } = await detect();
    expect(findings.find(({ tee }) => tee === 'az-snp-vtpm')?.why).toContain('0x18b');
  });

  it('throws on a defect, which is no answer', async () => {
    await put(TPM);
    const defect = detectTees({
      ...{ root, env: {}, architecture: 'x64', dangerouslyAttestAsSample: false },
      dangerouslyAttestWithSampleDevice: false,
      reporter: createTsmReporter({ fileSystem: fakeConfigfsTsm().fileSystem }),
      readHclType: async () => await Promise.reject(new TypeError('a defect')),
    });
    await expect(defect).rejects.toThrow(TypeError);
  });
});
