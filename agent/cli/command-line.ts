import { Command, CommanderError } from 'commander';
import { type CodedError, isCodedError } from '../../server/errors/coded-error.ts';
import { ConfigError } from '../config/config-error.ts';
import { reasonOf } from '../rpc/failure-reason.ts';
import { RpcError } from '../rpc/rpc-error.ts';
import { EXIT_CODES, type ExitCode, exitCodeOf } from './command-error.ts';
import type { CommandIo } from './command-io.ts';
import { addDetectCommand } from './detect-command.ts';
import { addEvidenceCommand } from './evidence-command.ts';
import { printable } from './printing.ts';
import { addResourceCommand } from './resource-command.ts';
import { addServeCommand } from './serve-command.ts';
import { addTokenCommand } from './token-command.ts';

const EPILOGUE = `
Exit codes:
  0  done
  1  a server refused this guest, or what came of one is not valid
  2  wrong usage, unusable input or configuration
  3  could not be done: no server, no agent, or a TEE that fails
  4  not found: the resource, or a TEE

Examples:
  $ verigo-agent detect
  $ verigo-agent serve
  $ verigo-agent resource kbs:///default/disk/passphrase`;

/**
 * Runs one command: `argv` are the arguments after the program's name. Writes results to standard output, errors to
 * standard error, and resolves to the exit code. Rejects only for a defect of the program.
 */
export async function runCommandLine(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    await buildProgram(io).parseAsync(argv, { from: 'user' });
    return EXIT_CODES.done;
  } catch (error) {
    return report(error, io);
  }
}

function buildProgram(io: CommandIo): Command {
  const program = new Command('verigo-agent')
    .description(
      "Proves what this guest is, and gets the secrets that it may have: the guest's side of Verigo.",
    )
    .version(io.version)
    .option('--json', 'print JSON, for machines')
    .addHelpText('after', EPILOGUE)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.writeStdout, writeErr: io.writeStderr })
    .exitOverride();
  addServeCommand(program, io);
  addDetectCommand(program, io);
  addEvidenceCommand(program, io);
  addTokenCommand(program, io);
  addResourceCommand(program, io);
  return program;
}

function report(error: unknown, io: CommandIo): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has already written its message; help and version are not errors.
    return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
  }
  if (!isCodedError(error)) throw error;
  const lines = error.message.split('\n').map(printable);
  const head = error instanceof ConfigError ? ['the configuration cannot be used', ...lines] : lines;
  const because = isCodedError(error.cause) ? [`because of ${shownCause(error.cause)}`] : [];
  io.writeStderr(`error ${codeOf(error)}: ${[...head, ...because].join('\n  ')}\n`);
  return exitCodeOf(error);
}

/** A deadline, for example, passes for a reason. */
function shownCause({ code, message }: CodedError): string {
  return `${printable(code)}: ${printable(message)}`;
}

/** An agent's own reason says more than the code of the call. */
function codeOf(error: CodedError): string {
  return printable((error instanceof RpcError ? reasonOf(error) : undefined) ?? error.code);
}
