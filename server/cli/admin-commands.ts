import type { Command } from 'commander';
import { z } from 'zod';
import type { CommandIo } from './command-io.ts';
import { parseDuration } from './expiry.ts';
import { adminKeyFile, adminKeyUnavailable, createInvocation } from './invocation.ts';

const tokenOptionsSchema = z.object({ role: z.string(), subject: z.string(), lifetime: z.string() });

/** `admin token`. */
export function addAdminCommands(program: Command, io: CommandIo): void {
  const group = program.command('admin').description('credentials of administrators');
  group
    .command('token')
    .description("make an administrator's token with the admin key of this installation")
    .option('--role <role>', 'the role that the token carries', 'admin')
    .option('--subject <name>', 'who it is for; appears in the record', 'verigo-command-line')
    .option('--lifetime <duration>', 'how long it is valid: 90s, 30m, 2h, 30d', '1h')
    .addHelpText(
      'after',
      '\nExamples:\n  $ verigo admin token\n  $ export VERIGO_ADMIN_TOKEN=$(verigo admin token --lifetime 8h)',
    )
    .action(async (_options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const { role, subject, lifetime } = tokenOptionsSchema.parse(command.opts());
      const lifetimeSeconds = parseDuration(lifetime);
      const request = { role, subject, lifetimeSeconds, at: io.clock() };
      const keyFile = adminKeyFile(invocation.config());
      const token = await io.services.mintAdminToken(keyFile, request).catch((cause: unknown) => {
        throw adminKeyUnavailable(cause);
      });
      invocation.print({ json: { token, role, lifetime_seconds: lifetimeSeconds }, text: `${token}\n` });
    });
}
