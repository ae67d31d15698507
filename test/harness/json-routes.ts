import type { JsonObject } from '../../server/claims/claims.ts';
import {
  attestationMessage,
  type Challenge,
  createGuestKey,
  sampleSource,
  verificationRequest,
} from './guest.ts';
import { policyGiving, resourcePolicy } from './rego.ts';

/** A route that takes JSON. `free` may be any JSON, `optional` may be absent or null, both as paths with dots. */
export interface JsonRoute {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly face: 'verigo' | 'broker';
  readonly isAdmin: boolean;
  readonly valid: () => Promise<JsonObject>;
  readonly headers?: () => Promise<Readonly<Record<string, string>>>;
  readonly free?: readonly string[];
  readonly optional?: readonly string[];
  /** Members that may be any text. */
  readonly anyText?: readonly string[];
}

const key = createGuestKey();
const encoded = (text: string): string => Buffer.from(text).toString('base64url');
const runtimeData = { nonce: 'of the caller', 'tee-pubkey': key.publicJwk };

/** Every route that takes JSON. `handshake` begins a session. */
export function jsonRoutes(handshake: () => Promise<Challenge>): readonly JsonRoute[] {
  return [
    {
      method: 'POST',
      path: '/challenge',
      face: 'verigo',
      isAdmin: false,
      valid: async () => ({ tee: 'sample', tee_params: '' }),
      anyText: ['tee_params'],
    },
    {
      method: 'POST',
      path: '/attestation',
      face: 'verigo',
      isAdmin: false,
      valid: async () => ({
        verification_requests: [
          {
            ...verificationRequest('sample', await sampleSource.evidence(runtimeData), runtimeData),
            init_data: { init_data_digest: 'AAAA' },
            runtime_data_hash_algorithm: 'sha384',
          },
        ],
        policy_ids: ['default'],
      }),
      optional: [
        'policy_ids',
        'policy_ids.0',
        'verification_requests.0.runtime_data',
        'verification_requests.0.init_data',
        'verification_requests.0.runtime_data_hash_algorithm',
      ],
      // Any document may be bound; that the evidence is not bound to this one is what refuses it.
      free: ['verification_requests.0.runtime_data.structured'],
    },
    {
      method: 'POST',
      path: '/policy',
      face: 'verigo',
      isAdmin: true,
      valid: async () => ({ policy_id: 'other_cpu', policy: encoded(policyGiving(2)) }),
    },
    {
      method: 'POST',
      path: '/kbs/v0/auth',
      face: 'broker',
      isAdmin: false,
      valid: async () => ({
        version: '0.4.0',
        tee: 'sample',
        'extra-params': { 'supported-hash-algorithms': ['sha384'] },
      }),
      free: ['extra-params'],
    },
    {
      method: 'POST',
      path: '/kbs/v0/attest',
      face: 'broker',
      isAdmin: false,
      valid: async () => ({
        ...(await attestationMessage((await handshake()).nonce, sampleSource, key)),
        'init-data': { format: 'toml', body: 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n' },
      }),
      headers: async () => ({ cookie: (await handshake()).cookie }),
      optional: ['init-data'],
    },
    {
      method: 'POST',
      path: '/kbs/v0/resource-policy',
      face: 'broker',
      isAdmin: true,
      valid: async () => ({ policy: encoded(resourcePolicy(true)) }),
    },
    {
      method: 'POST',
      path: '/kbs/v0/attestation-policy',
      face: 'broker',
      isAdmin: true,
      valid: async () => ({ policy_id: 'other_cpu', policy: encoded(policyGiving(2)) }),
    },
    {
      method: 'PUT',
      path: '/api/v1/policies/attestation/other_cpu',
      face: 'verigo',
      isAdmin: true,
      valid: async () => ({ policy: policyGiving(2) }),
    },
    {
      method: 'PUT',
      path: '/api/v1/reference-values/other',
      face: 'verigo',
      isAdmin: true,
      valid: async () => ({ value: ['1'], expires_at: '2040-01-01T00:00:00Z' }),
      free: ['value'],
      optional: ['expires_at'],
    },
    {
      method: 'POST',
      path: '/api/v1/collateral/import',
      face: 'verigo',
      isAdmin: true,
      valid: async () => ({ items: [{ name: 'list', body: 'AAAA' }] }),
      optional: ['items.0.name'],
      anyText: ['items.0.name'],
    },
  ];
}
