import type { Command } from 'commander';
import { renderConfig, withoutSecrets } from '../config/render-config.ts';
import { jsonObjectSchema } from './api-documents.ts';
import type { CommandIo } from './command-io.ts';
import { createInvocation } from './invocation.ts';

/** `config check`, `config show`. */
export function addConfigCommands(program: Command, io: CommandIo): void {
  const config = program.command('config').description('check and show the configuration');
  config
    .command('check')
    .description('say whether the configuration can be used; list every problem')
    .addHelpText(
      'after',
      '\nExamples:\n  $ verigo config check\n  $ verigo config check --config staging.toml',
    )
    .action((_options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const { file } = invocation.explainedConfig();
      invocation.print({
        json: { ok: true, file: file ?? null },
        text: `ok: ${file ?? 'no file, the defaults and the environment'}\n`,
      });
    });
  config
    .command('show')
    .description('print the effective configuration, with the meaning of each key; secrets are hidden')
    .addHelpText(
      'after',
      '\nExamples:\n  $ verigo config show\n  $ verigo config show --json | jq .http.port',
    )
    .action((_options: unknown, command: Command) => {
      const invocation = createInvocation(io, command);
      const explained = invocation.explainedConfig();
      invocation.print({
        json: jsonObjectSchema.parse(withoutSecrets(explained.config)),
        text: renderConfig(explained),
      });
    });
}
