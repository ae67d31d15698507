import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../../system-error.ts';
import { createTurns } from '../../turns.ts';
import { AttesterError } from '../attester-error.ts';

export interface TpmToolsOptions {
  /** Where the TPM is, as the tools' `TPM2TOOLS_TCTI` has it: `device:/dev/tpmrm0`. */
  readonly tcti: string;
  /** Where the tools are looked for, as `PATH` has it. */
  readonly searchPath?: string;
  /** A folder in memory, for what goes to the tools and comes from them. */
  readonly folder?: string;
  /** For one tool; a TPM that is busy may need some seconds. */
  readonly deadlineMilliseconds?: number;
}

/** The files of one task, by their names. Nobody else can read them, and they are gone afterwards. */
export interface TpmTask {
  /** Runs `tpm2_<name>` with these words, which name files of the task. Throws AttesterError TPM_… */
  run(name: string, ...words: readonly string[]): Promise<void>;
  write(file: string, bytes: Uint8Array): Promise<void>;
  /** Makes an empty file for a tool to write into, and answers its name. */
  output(file: string): Promise<string>;
  read(file: string): Promise<Uint8Array>;
}

/** A TPM 2.0 by the tools of its software stack (tpm2-tools 4 and 5). */
export interface TpmTools {
  task<T>(work: (task: TpmTask) => Promise<T>): Promise<T>;
}

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const FOLDER = '/dev/shm';
const DEADLINE_MILLISECONDS = 20_000;
const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_REASON_LENGTH = 300;
/** TPM_RC and friends, in what the tools say: `0x9A2`. */
const RESPONSE_CODE = /\b0x[0-9a-fA-F]{1,8}\b/;

/** One task after the other: without a resource manager in between, a TPM serves one. */
export function createTpmTools(options: TpmToolsOptions): TpmTools {
  const { folder = FOLDER } = options;
  const inTurn = createTurns();
  return { task: async (work) => await inTurn(async () => await inFolder(folder, options, work)) };
}

async function inFolder<T>(
  root: string,
  options: TpmToolsOptions,
  work: (task: TpmTask) => Promise<T>,
): Promise<T> {
  const folder = await makeFolder(root);
  try {
    return await work(taskIn(folder, options));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function taskIn(folder: string, options: TpmToolsOptions): TpmTask {
  const write = async (file: string, bytes: Uint8Array): Promise<void> => {
    await writeFile(join(folder, file), bytes, { mode: 0o600, flag: 'wx' });
  };
  return {
    write,
    async output(file) {
      await write(file, new Uint8Array());
      return file;
    },
    read: async (file) => await readFile(join(folder, file)),
    run: async (name, ...words) => {
      await runTool(`tpm2_${name}`, words, folder, options);
    },
  };
}

async function runTool(
  tool: string,
  words: readonly string[],
  folder: string,
  { tcti, searchPath = SEARCH_PATH, deadlineMilliseconds = DEADLINE_MILLISECONDS }: TpmToolsOptions,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile(
      tool,
      words,
      {
        cwd: folder,
        env: { PATH: searchPath, TPM2TOOLS_TCTI: tcti, TSS2_LOG: 'all+ERROR', LC_ALL: 'C' },
        timeout: deadlineMilliseconds,
        killSignal: 'SIGKILL',
        maxBuffer: MAX_OUTPUT_BYTES,
      },
      (error, _stdout, stderr) => {
        if (error === null) resolve();
        else reject(failureOf(tool, error, stderr));
      },
    );
  });
}

function failureOf(tool: string, cause: Error, stderr: string): AttesterError {
  if (systemErrorCode(cause) === 'ENOENT') {
    return new AttesterError(
      'TPM_TOOLS_UNAVAILABLE',
      `expected ${tool} of the package tpm2-tools, got none: install it in the guest`,
      { cause },
    );
  }
  if ('killed' in cause && cause.killed === true) {
    return new AttesterError('TPM_DEADLINE_EXCEEDED', `expected ${tool} to end in time, got no answer`, {
      cause,
    });
  }
  // Of what the tool says, which names files, only the TPM's own code goes into the message.
  const reason = RESPONSE_CODE.exec(stderr.slice(-MAX_REASON_LENGTH * 4))?.[0] ?? 'no response code';
  return new AttesterError('TPM_FAILED', `expected ${tool} to succeed, got ${reason}`, { cause });
}

async function makeFolder(root: string): Promise<string> {
  try {
    return await mkdtemp(join(root, 'verigo-tpm-'));
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw new AttesterError('TPM_FAILED', `expected a folder in memory for the TPM's files, got ${code}`, {
      cause,
    });
  }
}
