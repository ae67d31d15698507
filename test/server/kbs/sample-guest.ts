import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import type { JsonObject } from '../../../server/claims/claims.ts';

export const HANDSHAKE = {
  version: '0.4.0',
  tee: 'sample',
  'extra-params': { 'supported-hash-algorithms': ['sha256', 'sha384', 'sha512', 'sm3'] },
};

export interface Challenge {
  readonly nonce: string;
  readonly cookie: string;
}

export async function begin(app: FastifyInstance, message: object = HANDSHAKE): Promise<Challenge> {
  const response = await app.inject({ method: 'POST', url: '/kbs/v0/auth', payload: message });
  if (response.statusCode !== 200) throw new Error(response.body);
  return { nonce: response.json<{ nonce: string }>().nonce, cookie: cookieOf(response) };
}

/** The guest's part of an attestation: evidence bound to nonce and key, devices chained to it. */
export function attestation(nonce: string, key: JsonObject, devices?: JsonObject): Record<string, unknown> {
  const bound = { 'tee-pubkey': key, nonce };
  const additional =
    devices === undefined
      ? ''
      : JSON.stringify(
          Object.fromEntries(
            Object.entries(devices).map(([tee, svn]) => [tee, { svn, report_data: digest(bound) }]),
          ),
        );
  return {
    'init-data': null,
    'runtime-data': { nonce, 'tee-pubkey': key },
    'tee-evidence': {
      primary_evidence: { svn: '1', report_data: digest({ ...bound, 'additional-evidence': additional }) },
      additional_evidence: additional,
    },
  };
}

export async function sendAttestation(
  app: FastifyInstance,
  cookie: string | undefined,
  message: object | string,
): Promise<LightMyRequestResponse> {
  return await app.inject({
    method: 'POST',
    url: '/kbs/v0/attest',
    headers: { 'content-type': 'application/json', ...(cookie !== undefined && { cookie }) },
    payload: message,
  });
}

export function cookieOf(response: LightMyRequestResponse): string {
  return String(response.headers['set-cookie']).split(';')[0] ?? '';
}

function digest(runtimeData: object): string {
  return createHash('sha384')
    .update(canonicalize(runtimeData) ?? '')
    .digest('base64');
}
