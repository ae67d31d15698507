import { z } from 'zod';
import { CommandError } from './command-error.ts';
import type { RoleRegistration } from './role-registration.ts';

const FEATURES = ['resource', 'attestation', 'all'] as const;
const flagsSchema = z.object({
  bind: z.string().optional(),
  features: z.string(),
  cdh_addr: z.string().optional(),
  aa_addr: z.string().optional(),
});

/** The REST front among the roles, with the flags of upstream's program. */
export const restRegistration: RoleRegistration = {
  name: 'rest',
  addFlags(serve) {
    serve
      .option('-b, --bind <address>', 'where the REST front listens (default: 127.0.0.1:8006)')
      .option('-f, --features <name>', `what it serves: ${FEATURES.join(', ')}`, 'resource')
      .option('--cdh_addr <address>', 'the socket of the data hub that it asks')
      .option('--aa_addr <address>', 'the socket of the Attestation Agent that it asks');
  },
  async create(flags, { version }) {
    const { bind, features: named, cdh_addr: hubAddress, aa_addr: agentAddress } = flagsSchema.parse(flags);
    const features = FEATURES.find((name) => name === named);
    if (features === undefined) {
      throw new CommandError('USAGE', `expected --features of ${FEATURES.join(', ')}, got '${named}'`);
    }
    const { restRole } = await import('../rest/rest-role.ts');
    const role = restRole({
      features,
      version,
      ...(bind !== undefined && { bind }),
      ...(hubAddress !== undefined && { hubAddress }),
      ...(agentAddress !== undefined && { agentAddress }),
    });
    return { role, logLevel: 'info' };
  },
};
