import { attestationAgentRegistration } from './cli/attestation-agent-registration.ts';
import { dataHubRegistration } from './cli/data-hub-registration.ts';
import { restRegistration } from './cli/rest-registration.ts';
import type { RoleRegistration } from './cli/role-registration.ts';

/** In the order in which they start: each may need those before it. They close the other way round. */
export const ROLES: readonly RoleRegistration[] = [
  attestationAgentRegistration,
  dataHubRegistration,
  restRegistration,
];
