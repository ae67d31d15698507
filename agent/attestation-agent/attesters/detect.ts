import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fromUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { readBoundedIfThere } from '../bounded-file.ts';
import { systemErrorCode } from '../system-error.ts';
import type { HclReportType } from './azure/hcl-report.ts';
import { findTpmDevice } from './tpm/tpm-device.ts';
import type { TsmReporter } from './tsm/tsm-report.ts';

export interface DetectOptions {
  /** Where the file system of this guest begins: `/`. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As `process.arch` has it. */
  readonly architecture: string;
  readonly reporter: TsmReporter;
  /** Reads what the paravisor of an Azure VM keeps in this TPM. Throws where there is none. */
  readonly readHclType: (tpmDevice: string) => Promise<HclReportType>;
  /** Attests with evidence that anybody can make, where nothing else is found. For development. */
  readonly dangerouslyAttestAsSample: boolean;
  /** Adds a device whose evidence anybody can make. For development. */
  readonly dangerouslyAttestWithSampleDevice: boolean;
}

/** Whether this guest is, or has, one of the TEEs; and how that was told. */
export interface Finding {
  readonly tee: string;
  readonly kind: 'cpu' | 'device';
  readonly found: boolean;
  readonly why: string;
  /** Where it was found, for those that are a device of the kernel. */
  readonly device?: string;
}

export interface Detection {
  /** In the order in which they were looked for. */
  readonly findings: readonly Finding[];
  /** The first TEE that was found; `undefined`: this guest cannot prove anything. Never the sample unless configured. */
  readonly primary: Finding | undefined;
  readonly devices: readonly Finding[];
}

type Answer = Pick<Finding, 'found' | 'why' | 'device'>;

/** What several answers rest on, looked up once. */
interface Surroundings extends DetectOptions {
  readonly tsm: Answer & { readonly provider: string | undefined };
  readonly tpm: string | undefined;
  readonly hcl: { readonly type: HclReportType | undefined; readonly why: string };
}

/** The first that is found is the TEE that this guest runs in. */
const CPUS: readonly (readonly [tee: string, look: (around: Surroundings) => Answer | Promise<Answer>])[] = [
  ['tdx', findTdx],
  ['sgx', findSgx],
  ['az-tdx-vtpm', ({ hcl }) => ({ found: hcl.type === 'tdx', why: hcl.why })],
  ['az-snp-vtpm', ({ hcl }) => ({ found: hcl.type === 'snp', why: hcl.why })],
  ['snp', findSnp],
  ['csv', async ({ root }) => await findPath(root, '/dev/csv-guest')],
  ['cca', findCca],
  ['se', findSecureExecution],
  ['tpm', findTpm],
  ['sample', ({ dangerouslyAttestAsSample: isSet }) => configured(isSet)],
];
const DEVICES: typeof CPUS = [
  ['nvidia', async ({ root }) => await findPath(root, '/proc/driver/nvidia/gpus')],
  ['hygondcu', findDcu],
  ['dpu', async ({ root }) => await findDpu(root)],
  ['sampledevice', findSampleDevice],
];

/** NVIDIA BlueField-3 as a DPU (PCI IDs, vendor 15b3). */
const DPUS: ReadonlySet<string> = new Set(['0x15b3:0xa2dc', '0x15b3:0xa2da']);
const MAX_PCI_DEVICES = 4096;
const MAX_TEXT_BYTES = 4096;

/** Looks for every TEE, so that an operator sees why one was not taken. Nothing is changed, and nothing guessed. */
export async function detectTees(options: DetectOptions): Promise<Detection> {
  const around = await lookAround(options);
  const cpus = await ask(CPUS, 'cpu', around);
  const devices = await ask(DEVICES, 'device', around);
  return {
    findings: [...cpus, ...devices],
    primary: cpus.find(({ found }) => found),
    devices: devices.filter(({ found }) => found),
  };
}

async function ask(
  rows: typeof CPUS,
  kind: Finding['kind'],
  around: Surroundings,
): Promise<readonly Finding[]> {
  return await Promise.all(rows.map(async ([tee, look]) => ({ tee, kind, ...(await look(around)) })));
}

async function lookAround(options: DetectOptions): Promise<Surroundings> {
  const tpm = await findTpmDevice(options.root, options.env);
  return { ...options, tpm, tsm: await findTsm(options.reporter), hcl: await findHcl(options, tpm) };
}

async function findTsm(reporter: TsmReporter): Promise<Surroundings['tsm']> {
  try {
    const provider = await reporter.provider();
    const why = provider === undefined ? 'no configfs-tsm' : `configfs-tsm of ${provider.slice(0, 32)}`;
    return { found: provider !== undefined, provider, why };
  } catch (error) {
    if (!isCodedError(error)) throw error;
    return { found: false, provider: undefined, why: error.message };
  }
}

async function findHcl(options: DetectOptions, tpm: string | undefined): Promise<Surroundings['hcl']> {
  if (tpm === undefined) return { type: undefined, why: 'no TPM' };
  try {
    const type = await options.readHclType(tpm);
    return { type, why: `the TPM holds an HCL report around ${type}` };
  } catch (error) {
    if (!isCodedError(error)) throw error;
    return { type: undefined, why: `the TPM holds no HCL report that can be read: ${error.message}` };
  }
}

async function findTdx({ root, tsm }: Surroundings): Promise<Answer> {
  if (tsm.provider === 'tdx_guest') return { found: true, why: tsm.why };
  const device = await findPath(root, '/dev/tdx_guest');
  return { ...device, why: `${tsm.why}; ${device.why}` };
}

async function findSgx({ root, env }: Surroundings): Promise<Answer> {
  if (env['OCCLUM'] !== undefined) return { found: true, why: 'OCCLUM is set' };
  const path = '/dev/attestation/attestation_type';
  const type = await textOf(root, path);
  return { found: type === 'dcap', why: type === undefined ? `no ${path}` : `${path} says '${type}'` };
}

async function findSnp({ root, tsm }: Surroundings): Promise<Answer> {
  const device = await findPath(root, '/sys/devices/platform/sev-guest');
  if (device.found) return device;
  return { found: tsm.provider === 'sev_guest', why: `${device.why}; ${tsm.why}` };
}

function findCca({ architecture, tsm }: Surroundings): Answer {
  const found = architecture === 'arm64' && tsm.provider === 'arm_cca_guest';
  return { found, why: `architecture ${architecture}; ${tsm.why}` };
}

async function findSecureExecution({ root }: Surroundings): Promise<Answer> {
  const path = '/sys/firmware/uv/prot_virt_guest';
  const bit = await textOf(root, path);
  return { found: bit === '1', why: bit === undefined ? `no ${path}` : `${path} says '${bit}'` };
}

function findTpm({ tpm }: Surroundings): Answer {
  return tpm === undefined
    ? { found: false, why: 'no TPM that this user may open' }
    : { found: true, why: `${tpm} can be opened`, device: tpm };
}

async function findDcu({ root }: Surroundings): Promise<Answer> {
  const device = await findPath(root, '/dev/mkfd');
  const nodes = await findPath(root, '/sys/class/kfd/kfd/topology/nodes');
  return { found: device.found && nodes.found, why: `${device.why}; ${nodes.why}` };
}

async function findDpu(root: string): Promise<Answer> {
  const folder = '/sys/bus/pci/devices';
  for (const address of (await namesIn(join(root, folder))).slice(0, MAX_PCI_DEVICES)) {
    const vendor = await textOf(root, `${folder}/${address}/vendor`);
    const device = await textOf(root, `${folder}/${address}/device`);
    const id = `${vendor ?? ''}:${device ?? ''}`;
    if (DPUS.has(id)) return { found: true, why: `PCI device ${id}`, device: address };
  }
  return { found: false, why: 'no PCI device that is a DPU' };
}

/** What upstream calls the switch, and takes any value of for yes, is shown and not obeyed. */
function findSampleDevice({ dangerouslyAttestWithSampleDevice: isSet, env }: Surroundings): Answer {
  const hint = env['ENABLE_SAMPLE_DEVICE'] === undefined ? '' : '; ENABLE_SAMPLE_DEVICE is not looked at';
  const answer = configured(isSet);
  return { ...answer, why: `${answer.why}${hint}` };
}

function configured(isSet: boolean): Answer {
  return { found: isSet, why: isSet ? 'configured' : 'only where it is configured' };
}

async function findPath(root: string, path: string): Promise<Answer> {
  try {
    await access(join(root, path), constants.F_OK);
    return { found: true, why: `${path} exists`, device: path };
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    return { found: false, why: code === 'ENOENT' ? `no ${path}` : `${path}: ${code}` };
  }
}

/** Without the white space around it; `undefined` where there is no such file, or it cannot be read. */
async function textOf(root: string, path: string): Promise<string | undefined> {
  try {
    const bytes = await readBoundedIfThere(join(root, path), MAX_TEXT_BYTES);
    return bytes === undefined ? undefined : fromUtf8(bytes).trim().slice(0, 64);
  } catch (error) {
    if (systemErrorCode(error) === undefined && !isCodedError(error)) throw error;
    return undefined;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return [];
  }
}
