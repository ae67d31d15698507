import type { Command } from 'commander';
import { z } from 'zod';
import { createLog } from '../log.ts';
import { ROLES } from '../roles.ts';
import { serveRoles } from '../serve.ts';
import { CommandError } from './command-error.ts';
import type { CommandIo } from './command-io.ts';
import type { RegisteredRole, RoleRegistration } from './role-registration.ts';

const EXAMPLES = `
Examples:
  $ verigo-agent serve
  $ verigo-agent serve -c /etc/attestation-agent.toml -t /run/initdata.toml
  $ verigo-agent serve --roles aa,cdh,rest -c aa.toml --cdh-config cdh.toml -f all
  $ verigo-agent serve -a unix:///run/aa.sock -a 127.0.0.1:50002`;

const flagsSchema = z.object({ roles: z.string() });

/** `serve`. */
export function addServeCommand(program: Command, io: CommandIo): void {
  const serve = program
    .command('serve')
    .description('run until told to stop: the Attestation Agent, or what --roles says')
    .option('--roles <names>', `of ${ROLES.map(({ name }) => name).join(', ')}, with commas`, 'aa')
    .addHelpText('after', EXAMPLES);
  for (const { addFlags } of ROLES) addFlags(serve);
  serve.action(async (flags: unknown) => {
    const created: RegisteredRole[] = [];
    for (const { create } of chosenRoles(flagsSchema.parse(flags).roles)) {
      created.push(await create(flags, io));
    }
    const log = createLog({
      level: created[0]?.logLevel ?? 'info',
      clock: io.clock,
      write: io.writeStderr,
    });
    await serveRoles(
      created.map(({ role }) => role),
      { clock: io.clock, log },
    );
  });
}

function chosenRoles(text: string): readonly RoleRegistration[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !ROLES.some((role) => role.name === name));
  if (unknown !== undefined) {
    const known = ROLES.map(({ name }) => name).join(', ');
    throw new CommandError('USAGE', `expected --roles of ${known}, got '${unknown}'`);
  }
  return ROLES.filter(({ name }) => names.includes(name));
}
