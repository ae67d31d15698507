import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { addAdminCommands } from './admin-commands.ts';
import { addAttestCommand } from './attest-command.ts';
import { addCollateralCommands } from './collateral-commands.ts';
import { CommandError, EXIT_CODES, type ExitCode, ServerRefusal } from './command-error.ts';
import type { CommandIo } from './command-io.ts';
import { addConfigCommands } from './config-commands.ts';
import { addDecisionCommands } from './decision-commands.ts';
import { addEvidenceCommands } from './evidence-commands.ts';
import { addPolicyCommands } from './policy-commands.ts';
import { printable } from './printing.ts';
import { addReferenceValueCommands } from './reference-value-commands.ts';
import { addResourceCommands } from './resource-commands.ts';
import { addServeCommand } from './serve-command.ts';
import { addTokenCommands } from './token-commands.ts';

const EPILOGUE = `
Exit codes:
  0  done
  1  the server refused, or what was checked is not valid
  2  wrong usage, unusable input or configuration
  3  could not be checked: no server, or one that asks to try again
  4  not found

Examples:
  $ verigo serve
  $ verigo attest --sample --key-out tee.key --out token.jwt
  $ verigo resource get default/keys/disk --token token.jwt --key tee.key`;

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
  const program = new Command('verigo')
    .description(
      'Verifies what trusted execution environments say, and releases secrets to those that may have them.',
    )
    .version(io.services.version)
    .option('--config <file>', 'the configuration (default: VERIGO_CONFIG, else verigo.toml)')
    .option('--server <url>', "the server (default: VERIGO_SERVER, else the configuration's)")
    .option('--admin-token <token>', 'default: VERIGO_ADMIN_TOKEN, else made with the admin key in data_dir')
    .option('--json', 'print JSON, for machines')
    .addHelpText('after', EPILOGUE)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: io.writeStdout, writeErr: io.writeStderr })
    .exitOverride();
  addServeCommand(program, io);
  addConfigCommands(program, io);
  addAttestCommand(program, io);
  addTokenCommands(program, io);
  addResourceCommands(program, io);
  addPolicyCommands(program, io);
  addReferenceValueCommands(program, io);
  addEvidenceCommands(program, io);
  addCollateralCommands(program, io);
  addDecisionCommands(program, io);
  addAdminCommands(program, io);
  return program;
}

function report(error: unknown, io: CommandIo): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has already written its message; help and version are not errors.
    return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
  }
  if (error instanceof ConfigError) {
    const lines = error.problems.map(
      ({ where, message }) => `  ${printable(where)}: ${printable(message)}\n`,
    );
    io.writeStderr(`error ${error.code}: the configuration cannot be used\n${lines.join('')}`);
    return EXIT_CODES.usage;
  }
  if (!isCoded(error)) throw error;
  const { decisionId, advice, exitCode } = outcomeOf(error);
  const lines = error.message.split('\n').map(printable).join('\n  ');
  const decision = decisionId === undefined ? '' : `decision: ${printable(decisionId)}\n`;
  const next = advice === undefined ? '' : `next: ${printable(advice)}\n`;
  io.writeStderr(`error ${printable(error.code)}: ${lines}\n${decision}${next}`);
  return exitCode;
}

function isCoded(error: unknown): error is CodedError {
  return error instanceof CodedError;
}

interface Outcome {
  readonly exitCode: ExitCode;
  readonly decisionId?: string | undefined;
  readonly advice?: string | undefined;
}

function outcomeOf(error: CodedError): Outcome {
  if (error instanceof CommandError || error instanceof ServerRefusal) return error;
  return { exitCode: error instanceof CouldNotCheckError ? EXIT_CODES.couldNotCheck : EXIT_CODES.usage };
}
