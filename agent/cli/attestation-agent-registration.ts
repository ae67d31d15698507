import { z } from 'zod';
import { readTextInput } from './command-files.ts';
import { addConfigFlags, collect, configFrom } from './config-flags.ts';
import type { RoleRegistration } from './role-registration.ts';

const flagsSchema = z.object({
  initdataDigest: z.string().optional(),
  initdataToml: z.string().optional(),
});

/** The Attestation Agent among the roles, with the flags of upstream's program. */
export const attestationAgentRegistration: RoleRegistration = {
  name: 'aa',
  addFlags(serve) {
    serve
      .option(
        '-a, --attestation_sock <address>',
        'where the agent listens: unix://… for ttrpc, host:port for gRPC; may be repeated',
        collect,
      )
      .option('-i, --initdata-digest <base64>', 'digest of the init data, checked against the TEE')
      .option('-t, --initdata-toml <file>', 'the init data itself, which wins over its digest');
    addConfigFlags(serve);
  },
  async create(flags, around) {
    const { initdataDigest: digest, initdataToml: file } = flagsSchema.parse(flags);
    const config = await configFrom(flags, around);
    const { attestationAgentRole } = await import('../attestation-agent/attestation-agent-role.ts');
    const initData = {
      digest,
      text: file === undefined ? undefined : await readTextInput(around, file),
    };
    const userAgent = `verigo-aa/${around.version}`;
    return {
      role: attestationAgentRole({ ...around, config, initData, userAgent }),
      logLevel: config.log.level,
    };
  },
};
