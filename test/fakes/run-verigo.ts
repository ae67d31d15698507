import type { CommandIo, CommandServices } from '../../server/cli/command-io.ts';
import { runCommandLine } from '../../server/cli/command-line.ts';
import { inspectSampleEvidence } from '../../server/cli/sample-evidence.ts';
import { CodedError } from '../../server/errors/coded-error.ts';
import { FAKE_ADMIN_TOKEN, FAKE_NOW } from './fake-verigo.ts';

export interface VerigoRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

export interface VerigoSurroundings {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly stdin?: string | Uint8Array;
  readonly now?: Date;
  readonly services?: Partial<CommandServices>;
}

/** Runs one command of the command line in this process and gathers what it wrote. */
export async function runVerigo(
  args: readonly string[],
  around: VerigoSurroundings = {},
): Promise<VerigoRun> {
  const stdout: Uint8Array[] = [];
  const stderr: string[] = [];
  const io: CommandIo = {
    env: around.env ?? {},
    cwd: around.cwd ?? '/',
    clock: () => around.now ?? FAKE_NOW,
    services: {
      version: '1.2.3',
      serve: async () => {
        throw new CodedError('NOT_EXPECTED', 'expected no server in this test');
      },
      mintAdminToken: async () => FAKE_ADMIN_TOKEN,
      testPolicies: async () => ({ passed: true, output: 'PASS: 3/3\n' }),
      inspectors: { sample: inspectSampleEvidence },
      ...around.services,
    },
    readStdin: async () => Buffer.from(around.stdin ?? ''),
    writeStdout: (chunk) => stdout.push(Buffer.from(chunk)),
    writeStderr: (chunk) => stderr.push(chunk),
  };
  const code = await runCommandLine(args, io);
  const bytes = Buffer.concat(stdout);
  return { code, stdout: bytes.toString(), stderr: stderr.join(''), bytes };
}
