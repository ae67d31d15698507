import type { Json, JsonObject } from '../../server/claims/claims.ts';
import { type HttpReply, send } from './http.ts';

export interface RecordedDecision {
  readonly id: string;
  readonly kind: string;
  readonly outcome: string;
  readonly code: string | null;
  readonly subject: string;
  readonly policy: { readonly name: string; readonly sha384: string } | null;
  readonly evidence_sha256: string | null;
  readonly detail: JsonObject;
}

/** Speaks to the server as an administrator. All but those that set policies throw for every status that is not 2xx. */
export interface Administrator {
  readonly token: string;
  setReferenceValues(values: readonly (readonly [string, Json])[]): Promise<void>;
  setPolicy(kind: 'attestation' | 'resource', name: string, rego: string): Promise<HttpReply>;
  /** The faces that Confidential Containers' clients use; those of attestation policies by their routes. */
  postPolicy(route: '/policy' | '/kbs/v0/attestation-policy', name: string, rego: string): Promise<HttpReply>;
  postResourcePolicy(rego: string): Promise<HttpReply>;
  putResource(path: string, content: string): Promise<void>;
  decision(id: string | undefined): Promise<RecordedDecision>;
}

/** What the default CPU policy compares in the reports of a fake AMD's chips, so that they are affirmed. */
export const SNP_REFERENCE_VALUES: readonly (readonly [string, Json])[] = [
  ['snp_launch_measurement', ['a5'.repeat(48)]],
  ['snp_bootloader', [3]],
  ['snp_microcode', [115]],
  ['snp_snp_svn', [8]],
  ['snp_tee_svn', [0]],
];
/** The same for sample evidence. */
export const SAMPLE_REFERENCE_VALUES: readonly (readonly [string, Json])[] = [
  ['launch_digest', ['abcde']],
  ['svn', ['1']],
  ['major_version', 1],
  ['minimum_minor_version', 1],
];

export function createAdministrator(url: string, token: string): Administrator {
  return {
    token,
    async setReferenceValues(values) {
      for (const [name, value] of values) {
        const path = `/api/v1/reference-values/${encodeURIComponent(name)}`;
        assertDone(await send(url, path, { method: 'PUT', json: { value }, token }));
      }
    },
    setPolicy: async (kind, name, rego) =>
      await send(url, `/api/v1/policies/${kind}/${name}`, { method: 'PUT', json: { policy: rego }, token }),
    postPolicy: async (route, name, rego) =>
      await send(url, route, { json: { type: 'rego', policy_id: name, policy: toBase64Url(rego) }, token }),
    postResourcePolicy: async (rego) =>
      await send(url, '/kbs/v0/resource-policy', { json: { policy: toBase64Url(rego) }, token }),
    async putResource(path, content) {
      assertDone(await send(url, `/kbs/v0/resource/${path}`, { method: 'POST', body: content, token }));
    },
    async decision(id) {
      const reply = await send(url, `/api/v1/decisions/${id ?? 'none'}`, { token });
      assertDone(reply);
      return reply.json() as RecordedDecision;
    },
  };
}

function assertDone(reply: HttpReply): void {
  if (reply.status < 200 || reply.status > 299) {
    throw new Error(`expected the server to do it, got ${reply.status}: ${reply.text}`);
  }
}

function toBase64Url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
