import { z } from 'zod';
import { toBase64Url, toUtf8 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { type ApiClient, jsonBody, replyText } from './api-client.ts';
import { CommandError } from './command-error.ts';
import { createSampleEvidence } from './sample-evidence.ts';
import type { TeeKey } from './tee-key.ts';

/** One compact JWS and nothing else, so that what is printed or stored is a token. */
const tokenSchema = z.string().regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
const MAX_NONCE = 65_536;

export interface VerificationRequest {
  readonly tee: string;
  /** The JSON document as text, so that long integers reach the verifier as they were signed. */
  readonly evidence: string;
  readonly runtimeData?: { readonly structured: JsonObject } | { readonly raw: string };
  readonly initDataToml?: string;
}

export interface MintedToken {
  readonly token: string;
  readonly decisionId: string | undefined;
}

/** POST /attestation. Throws ServerRefusal, CommandError. */
export async function requestToken(
  api: ApiClient,
  request: VerificationRequest,
  policy: string | undefined,
): Promise<MintedToken> {
  const reply = await api.send({
    method: 'POST',
    path: '/attestation',
    body: jsonBody({
      verification_requests: [
        {
          tee: request.tee,
          evidence: toBase64Url(toUtf8(request.evidence)),
          ...(request.runtimeData !== undefined && { runtime_data: request.runtimeData }),
          ...(request.initDataToml !== undefined && { init_data: { init_data_toml: request.initDataToml } }),
        },
      ],
      policy_ids: policy === undefined ? [] : [policy],
    }),
  });
  const parsed = tokenSchema.safeParse(replyText(reply).trim());
  if (!parsed.success) {
    throw new CommandError('SERVER_REPLY_UNEXPECTED', 'expected a token from the server, got something else');
  }
  return { token: parsed.data, decisionId: reply.headers.get('verigo-decision-id') ?? undefined };
}

/** Sample evidence for a fresh nonce of the server, bound to the key. Throws ServerRefusal, CommandError. */
export async function createSampleRequest(api: ApiClient, key: TeeKey): Promise<VerificationRequest> {
  const body = jsonBody({ tee: 'sample', tee_params: '' });
  const nonce = await api.text({ method: 'POST', path: '/challenge', body });
  if (nonce === '' || nonce.length > MAX_NONCE) {
    throw new CommandError('SERVER_REPLY_UNEXPECTED', 'expected a nonce from the server, got none');
  }
  const structured = { nonce, 'tee-pubkey': key.publicJwk };
  const evidence = JSON.stringify(createSampleEvidence(structured));
  return { tee: 'sample', evidence, runtimeData: { structured } };
}
