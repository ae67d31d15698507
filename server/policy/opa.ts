import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { readPolicyModule } from './opa-bundle.ts';
import { PolicyError } from './policy.ts';

const run = promisify(execFile);

const COMPILE_TIMEOUT_MS = 10_000;
/** The syntax tree of the largest policy that we take is a few dozen MiB of indented JSON. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const MAX_COMPLAINTS = 20;

/** What OPA has against a policy; `line` counts from 1 in the policy's source. */
export interface Complaint {
  readonly line: number | undefined;
  readonly message: string;
}

/** A folder with files to compile that lives as long as one compilation. */
export interface Workspace {
  /** The syntax tree of a file as OPA prints it, or what is wrong with the file. */
  parse(file: string): Promise<unknown>;
  /** Compiles the files without output; no complaints means that they are sound. */
  check(files: readonly string[], options: { readonly strict: boolean }): Promise<readonly Complaint[]>;
  /** Adds a file. */
  write(file: string, text: string): Promise<void>;
  /** The WebAssembly module of the files with these entrypoints, e.g. `policy/allow`. */
  build(files: readonly string[], entrypoints: readonly string[]): Promise<Uint8Array>;
}

/** OPA as a program: where it is, and what runs it. */
export interface Opa {
  readonly path: string;
  /** E.g. `1.22.2`. */
  readonly version: string;
  /** `files` maps names to text; the folder is gone when `use` is done. */
  withFiles<Result>(
    files: Readonly<Record<string, string>>,
    use: (workspace: Workspace) => Promise<Result>,
  ): Promise<Result>;
  /** Runs the tests in a folder of Rego files. */
  testFolder(folder: string, capabilitiesPath: string): Promise<TestRun>;
}

/** What `opa test` made of a folder. */
export interface TestRun {
  readonly passed: boolean;
  readonly output: string;
}

/** The files of a workspace must include this one: the built-ins that the compiler may use. */
export const CAPABILITIES_FILE = 'capabilities.json';

/**
 * Asks the program at `path` for its version and offers it when it is OPA 1.x; `undefined` when it is something
 * else or does not run.
 */
export async function openOpa(path: string): Promise<Opa | undefined> {
  const version = await versionOf(path);
  if (version === undefined) return undefined;
  return {
    path,
    version,
    async withFiles(files, use) {
      const folder = await mkdtemp(join(tmpdir(), 'verigo-policy-'));
      try {
        const workspace = createWorkspace(path, folder);
        for (const [name, text] of Object.entries(files)) await workspace.write(name, text);
        return await use(workspace);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    testFolder: async (folder, capabilitiesPath) => await runTests(path, folder, capabilitiesPath),
  };
}

async function runTests(opa: string, folder: string, capabilitiesPath: string): Promise<TestRun> {
  try {
    const output = await callOpa(opa, ['test', '--capabilities', resolve(capabilitiesPath), '.'], folder);
    return { passed: true, output };
  } catch (error) {
    const failure = failureSchema.parse(error);
    if (typeof failure.code === 'string') throw unavailable(failure.code, error);
    return { passed: false, output: failure.stdout + failure.stderr };
  }
}

function createWorkspace(opa: string, folder: string): Workspace {
  const call = async (...args: readonly string[]): Promise<string> => await callOpa(opa, args, folder);
  return {
    async parse(file) {
      return JSON.parse(await orRefuse(call('parse', '--format', 'json', file), folder)) as unknown;
    },
    async check(files, { strict }) {
      const flags = [
        '--format',
        'json',
        '--capabilities',
        CAPABILITIES_FILE,
        ...(strict ? ['--strict'] : []),
      ];
      try {
        await call('check', ...flags, ...files);
        return [];
      } catch (error) {
        return complaintsOf(error, folder);
      }
    },
    async write(file, text) {
      await writeFile(join(folder, file), text, { mode: 0o600 });
    },
    async build(files, entrypoints) {
      const flags = ['--target', 'wasm', '--capabilities', CAPABILITIES_FILE, '--output', 'bundle.tar.gz'];
      const entries = entrypoints.flatMap((entrypoint) => ['--entrypoint', entrypoint]);
      await orRefuse(call('build', ...flags, ...entries, ...files), folder);
      return readPolicyModule(await readFile(join(folder, 'bundle.tar.gz')));
    },
  };
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['version'], { env: {}, timeout: COMPILE_TIMEOUT_MS });
    return /^Version: (1\.[0-9]+\.[0-9]+)/m.exec(stdout)?.[1];
  } catch {
    return undefined; // not there, not executable, not OPA: the caller looks elsewhere
  }
}

/** No shell, an empty environment, the workspace as the working directory; killed when it takes too long. */
async function callOpa(opa: string, args: readonly string[], cwd: string): Promise<string> {
  const limits = { timeout: COMPILE_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES } as const;
  const { stdout } = await run(opa, [...args], { cwd, env: {}, ...limits });
  return stdout;
}

async function orRefuse(output: Promise<string>, folder: string): Promise<string> {
  try {
    return await output;
  } catch (error) {
    throw refusal(complaintsOf(error, folder));
  }
}

/** Throws to the author: what OPA says, line by line. */
export function refusal(complaints: readonly Complaint[]): PolicyError {
  const listed = complaints.slice(0, MAX_COMPLAINTS).map(describe);
  return new PolicyError('POLICY_DOES_NOT_COMPILE', `expected Rego that compiles, got: ${listed.join('; ')}`);
}

/** One line for people, e.g. `line 3: undefined function http.send`. */
export function describe(complaint: Complaint): string {
  return complaint.line === undefined ? complaint.message : `line ${complaint.line}: ${complaint.message}`;
}

const failureSchema = z.object({
  killed: z.boolean().optional(),
  code: z.union([z.string(), z.number(), z.null()]).optional(),
  stdout: z.string().default(''),
  stderr: z.string().default(''),
});

const errorsSchema = z.object({
  errors: z.array(z.object({ message: z.string(), location: z.object({ row: z.number() }).optional() })),
});

/** What a failed call of OPA says about the policy, without our folder. Throws when it says nothing about it. */
function complaintsOf(error: unknown, folder: string): readonly Complaint[] {
  const { killed, code, stderr } = failureSchema.parse(error);
  if (killed === true || code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
    const limits = `${COMPILE_TIMEOUT_MS / 1000} seconds and ${MAX_OUTPUT_BYTES / 1024 / 1024} MiB`;
    return [{ line: undefined, message: `the compiler exceeded its limits of ${limits}` }];
  }
  if (typeof code === 'string') {
    throw new PolicyError('POLICY_COMPILER_UNAVAILABLE', `expected OPA to run, got ${code}`, {
      cause: error,
    });
  }
  return (
    parseErrors(stderr) ?? [{ line: undefined, message: stderr.replaceAll(folder, '').trim().slice(0, 1000) }]
  );
}

function unavailable(code: string, cause: unknown): PolicyError {
  return new PolicyError('POLICY_COMPILER_UNAVAILABLE', `expected OPA to run, got ${code}`, { cause });
}

function parseErrors(stderr: string): readonly Complaint[] | undefined {
  if (!stderr.trimStart().startsWith('{')) return undefined;
  const parsed = errorsSchema.safeParse(JSON.parse(stderr));
  return parsed.data?.errors.map(({ message, location }) => ({ line: location?.row, message }));
}
