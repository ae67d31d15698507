import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fromUtf8, toUtf8 } from '../../../../server/bytes/encoding.ts';
import { systemErrorCode } from '../../system-error.ts';
import { AttesterError } from '../attester-error.ts';
import { type ConfigFileSystem, configFileSystem } from './config-file-system.ts';

/** Drivers that register with configfs-tsm, by the names that `provider` reads as. */
export type TsmProvider = 'sev_guest' | 'tdx_guest' | 'arm_cca_guest';

export interface TsmReporterOptions {
  /** Where the kernel shows its reports; `/sys/kernel/config/tsm/report` unless tests have another. */
  readonly folder?: string;
  readonly fileSystem?: ConfigFileSystem;
}

export interface TsmRequest {
  readonly provider: TsmProvider;
  /** 64 bytes. */
  readonly reportData: Uint8Array;
}

/** What the kernel got of the trusted module below it. */
export interface TsmReport {
  /** The report or quote. */
  readonly outblob: Uint8Array;
  /** What came with it, an SNP certificate table; `undefined` where the provider has none. */
  readonly auxblob: Uint8Array | undefined;
}

export interface TsmReporter {
  /** Which driver answers here; `undefined` where there is no configfs-tsm, or no driver behind it. */
  provider(): Promise<string | undefined>;
  /**
   * One report. Throws AttesterError TSM_UNAVAILABLE, TSM_PROVIDER_MISMATCH, TSM_CONTESTED when somebody else keeps writing
   * into our entries, TSM_FAILED.
   */
  report(request: TsmRequest): Promise<TsmReport>;
}

export const TSM_FOLDER = '/sys/kernel/config/tsm/report';
/** TSM_INBLOB_MAX, TSM_OUTBLOB_MAX */
const INBLOB_BYTES = 64;
const MAX_OUTBLOB_BYTES = 32 * 1024;
const MAX_TEXT_BYTES = 4096;
const ATTEMPTS = 5;
/** The trusted module serves somebody else, or a signal came in between: the same again may go well. */
const TRANSIENT: ReadonlySet<string> = new Set(['EBUSY', 'EAGAIN', 'EINTR', 'EEXIST', 'ETIMEDOUT']);
const FIRST_PAUSE_MILLISECONDS = 20;

/**
 * Reports through configfs-tsm (Linux, Documentation/ABI/testing/configfs-tsm-report): an entry of its own for each report,
 * made, filled, read and removed.
 */
export function createTsmReporter(options: TsmReporterOptions = {}): TsmReporter {
  const { folder = TSM_FOLDER, fileSystem = configFileSystem } = options;
  return {
    provider: async () => await findProvider(fileSystem, folder),
    report: async (request) => await reportPatiently(fileSystem, folder, request),
  };
}

async function findProvider(fileSystem: ConfigFileSystem, folder: string): Promise<string | undefined> {
  try {
    return await inEntry(fileSystem, folder, async (entry) => await entry.text('provider'));
  } catch (error) {
    if (error instanceof AttesterError && error.code === 'TSM_UNAVAILABLE') return undefined;
    throw error;
  }
}

async function reportPatiently(
  fileSystem: ConfigFileSystem,
  folder: string,
  request: TsmRequest,
): Promise<TsmReport> {
  if (request.reportData.byteLength !== INBLOB_BYTES) {
    throw failed(`expected ${INBLOB_BYTES} bytes of report data, got ${request.reportData.byteLength}`);
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await inEntry(fileSystem, folder, async (entry) => await reportIn(entry, request));
    } catch (error) {
      if (attempt === ATTEMPTS || !isTransient(error)) throw error;
      await pause(attempt);
    }
  }
}

async function reportIn(entry: TsmEntry, { provider, reportData }: TsmRequest): Promise<TsmReport> {
  const actual = await entry.text('provider');
  if (actual !== provider) {
    throw new AttesterError(
      'TSM_PROVIDER_MISMATCH',
      `expected reports of ${provider}, got a kernel with those of ${actual.slice(0, 32)}`,
    );
  }
  const levels = await writePrivilegeLevel(entry);
  await entry.write('inblob', reportData);
  const outblob = await entry.bytes('outblob');
  const auxblob = await entry.bytesIfThere('auxblob');
  // Counts what was written. Had somebody else written too, the report could be for their data, or the parts of two.
  const written = await entry.text('generation');
  const expected = `${levels + 1}`;
  if (written !== expected) {
    throw new AttesterError(
      'TSM_CONTESTED',
      `expected ${expected} writes to our own report, got ${written.slice(0, 32)}: somebody else writes there`,
    );
  }
  if (outblob.byteLength === 0) throw failed('expected a report from the kernel, got none');
  return { outblob, auxblob };
}

/**
 * Asks for the most privileged level that this guest may ask for: 0, or that below a paravisor. Providers without levels
 * have no such attribute. Answers how often it wrote.
 */
async function writePrivilegeLevel(entry: TsmEntry): Promise<number> {
  const floor = await entry.bytesIfThere('privlevel_floor');
  if (floor === undefined) return 0;
  const level = fromUtf8(floor).trim();
  if (!/^[0-3]$/.test(level))
    throw failed('expected a privilege level of 0 to 3 from the kernel, got another');
  if (level === '0') return 0;
  await entry.write('privlevel', toUtf8(level));
  return 1;
}

/** The attributes of one entry. */
interface TsmEntry {
  text(name: string): Promise<string>;
  bytes(name: string): Promise<Uint8Array>;
  bytesIfThere(name: string): Promise<Uint8Array | undefined>;
  write(name: string, bytes: Uint8Array): Promise<void>;
}

async function inEntry<T>(
  fileSystem: ConfigFileSystem,
  folder: string,
  work: (entry: TsmEntry) => Promise<T>,
): Promise<T> {
  const path = join(folder, `verigo-${randomUUID()}`);
  await makeEntry(fileSystem, path);
  try {
    return await work(entryAt(fileSystem, path));
  } finally {
    await refusing('to remove its entry', async () => {
      await fileSystem.rmdir(path);
    });
  }
}

function entryAt(fileSystem: ConfigFileSystem, path: string): TsmEntry {
  const read = async (name: string, maximum: number): Promise<Uint8Array> => {
    const bytes = await fileSystem.read(join(path, name), maximum);
    if (bytes.byteLength <= maximum) return bytes;
    throw failed(`expected at most ${maximum} bytes in ${name}, got more`);
  };
  const bytes = async (name: string): Promise<Uint8Array> =>
    await refusing(`to read ${name}`, async () => await read(name, MAX_OUTBLOB_BYTES));
  return {
    text: async (name) =>
      await refusing(`to read ${name}`, async () => fromUtf8(await read(name, MAX_TEXT_BYTES)).trimEnd()),
    bytes,
    async bytesIfThere(name) {
      try {
        return await bytes(name);
      } catch (error) {
        if (error instanceof AttesterError && systemErrorCode(error.cause) === 'ENOENT') return undefined;
        throw error;
      }
    },
    async write(name, bytes) {
      await refusing(`to write ${name}`, async () => {
        await fileSystem.write(join(path, name), bytes);
      });
    },
  };
}

/** No such folder: a kernel without it, or configfs is not mounted. ENXIO: no driver has registered. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENXIO', 'ENODEV', 'ENOTDIR', 'EROFS']);

async function makeEntry(fileSystem: ConfigFileSystem, path: string): Promise<void> {
  try {
    await refusing('an entry of its own', async () => {
      await fileSystem.mkdir(path);
    });
  } catch (error) {
    const code = error instanceof AttesterError ? systemErrorCode(error.cause) : undefined;
    if (code === undefined || !ABSENT.has(code)) throw error;
    throw new AttesterError('TSM_UNAVAILABLE', `expected a kernel with configfs-tsm, got ${code}`, {
      cause: error,
    });
  }
}

async function refusing<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw new AttesterError('TSM_FAILED', `expected configfs-tsm to allow ${what}, got ${code}`, { cause });
  }
}

function isTransient(error: unknown): boolean {
  if (!(error instanceof AttesterError)) return false;
  if (error.code === 'TSM_CONTESTED') return true;
  return error.code === 'TSM_FAILED' && TRANSIENT.has(systemErrorCode(error.cause) ?? '');
}

async function pause(attempt: number): Promise<void> {
  const milliseconds = FIRST_PAUSE_MILLISECONDS * 2 ** attempt * (0.5 + Math.random());
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function failed(message: string): AttesterError {
  return new AttesterError('TSM_FAILED', message);
}
