import type { Command } from 'commander';
import type { CommandIo } from './command-io.ts';
import { createInvocation } from './invocation.ts';

/** `serve`. */
export function addServeCommand(program: Command, io: CommandIo): void {
  program
    .command('serve')
    .description('run the server, in the roles that the configuration gives it')
    .addHelpText(
      'after',
      '\nExamples:\n  $ verigo serve\n  $ VERIGO_HTTP__PORT=9090 verigo serve\n  $ verigo serve --config /etc/verigo/verigo.toml',
    )
    .action(async (_options: unknown, command: Command) => {
      await io.services.serve(createInvocation(io, command).config());
    });
}
