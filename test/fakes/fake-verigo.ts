import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt, exportJWK, FlattenedEncrypt, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { z } from 'zod';
import { bindRuntimeData } from '../../server/attestation/runtime-data.ts';
import type { Json } from '../../server/claims/claims.ts';
import { sampleVerifier } from '../../server/verifiers/sample/sample-verifier.ts';

export const FAKE_ADMIN_TOKEN = 'the-administrator';
export const DECISION_ID = '019ab2c4-7c1e-7b59-9d43-0a4c5e6f7081';
/** The moment at which the fake lives: its tokens are valid for five minutes from here. */
export const FAKE_NOW = new Date('2026-11-24T10:00:00Z');

interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface FakeReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

const anyJson = z.custom<Json>((value) => value !== undefined);
const attestationSchema = z.object({
  verification_requests: z.tuple([
    z.looseObject({
      evidence: z.string(),
      runtime_data: z.object({ structured: anyJson.optional() }).optional(),
    }),
  ]),
});
const kbsAttestSchema = z.object({
  'runtime-data': z.object({ nonce: z.string(), 'tee-pubkey': anyJson }),
  'tee-evidence': z.object({ primary_evidence: anyJson, additional_evidence: z.string() }),
});
const importSchema = z.object({ items: z.array(z.object({ body: z.base64() })) });
const policySchema = z.object({ policy: z.string() });
const valueSchema = z.object({ value: anyJson, expires_at: z.string().nullable() });

type Answer = (request: SeenRequest) => FakeReply | Promise<FakeReply>;

export interface FakeVerigo {
  readonly url: string;
  readonly seen: SeenRequest[];
  readonly resources: Map<string, Buffer>;
  readonly jwks: { readonly keys: readonly JWK[] };
  /** From now on, requests whose path begins so are answered by this. */
  answer(pathPrefix: string, answer: FakeReply | Answer): void;
  /** A token as the attestation service mints it, with other claims where a test wants them. */
  mint(teeKey: Json, overrides?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  stop(): Promise<void>;
}

/** A server on loopback that speaks the paths that the command line uses, with its state in memory. */
export async function startFakeVerigo(): Promise<FakeVerigo> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'fake', alg: 'ES256', use: 'sig' }] };
  const resources = new Map<string, Buffer>();
  const policies = new Map<string, Json>();
  const values = new Map<string, { name: string; value: Json; expires_at: Json }>();
  const sessions = new Map<string, { nonce: string; token?: string }>();
  const seen: SeenRequest[] = [];
  const answers: (readonly [string, Answer])[] = [];

  async function mint(
    teeKey: Json,
    overrides: Record<string, unknown> = {},
    header: Record<string, unknown> = { kid: 'fake' },
  ): Promise<string> {
    const seconds = FAKE_NOW.getTime() / 1000;
    return await new SignJWT({
      eat_profile: 'tag:github.com,2024:confidential-containers/Trustee',
      iat: seconds,
      exp: seconds + 300,
      iss: 'CoCo-Attestation-Service',
      cnf: { jwk: teeKey },
      submods: {
        cpu0: {
          'ear.status': 'contraindicated',
          'ear.trustworthiness-vector': { configuration: 2, executables: 33, hardware: 97 },
          'ear.appraisal-policy-id': 'default',
        },
      },
      ...overrides,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...header })
      .sign(privateKey);
  }

  async function attest(runtimeData: Json, evidence: unknown): Promise<string> {
    const bound = bindRuntimeData({ structured: runtimeData }, undefined);
    await sampleVerifier.verify(
      evidence,
      { reportData: bound.reportData, initDataDigest: undefined },
      FAKE_NOW,
    );
    return await mint(bound.teePublicKey ?? null);
  }

  async function seal(token: string, path: string): Promise<FakeReply> {
    const secret = resources.get(path);
    if (secret === undefined) return kbsError(404, 'PluginInternalError', 'RESOURCE_NOT_FOUND');
    const { cnf } = decodeJwt<{ cnf: { jwk: JWK } }>(token);
    const jwe = await new FlattenedEncrypt(secret)
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
      .encrypt(await importJWK(cnf.jwk, 'ECDH-ES+A256KW'));
    return json(jwe);
  }

  const routes: Record<string, Answer> = {
    'POST /challenge': () => ({ body: randomBytes(32).toString('base64') }),
    'POST /attestation': async ({ body }) => {
      const [item] = attestationSchema.parse(parsed(body)).verification_requests;
      const evidence = parsed(Buffer.from(item.evidence, 'base64url'));
      const runtimeData = item.runtime_data?.structured;
      const token = runtimeData === undefined ? await mint(null) : await attest(runtimeData, evidence);
      return { body: token, headers: { 'verigo-decision-id': DECISION_ID } };
    },
    'GET /.well-known/jwks.json': () => json(jwks),
    'POST /kbs/v0/auth': () => {
      const id = randomBytes(16).toString('hex');
      const nonce = randomBytes(32).toString('base64');
      sessions.set(id, { nonce });
      return {
        ...json({ nonce, 'extra-params': '' }),
        headers: { 'set-cookie': `kbs-session-id=${id}; HttpOnly; Path=/kbs/v0` },
      };
    },
    'POST /kbs/v0/attest': async ({ headers, body }) => {
      const id = sessionOf(headers['cookie']);
      const { 'runtime-data': runtimeData, 'tee-evidence': evidence } = kbsAttestSchema.parse(parsed(body));
      if (sessions.get(id)?.nonce !== runtimeData.nonce)
        return kbsError(401, 'AttestationError', 'NONCE_UNKNOWN');
      const bound: Json = { ...runtimeData, 'additional-evidence': evidence.additional_evidence };
      const token = await attest(bound, evidence.primary_evidence);
      sessions.set(id, { nonce: runtimeData.nonce, token });
      return json({ token });
    },
    'GET /kbs/v0/resource/': async ({ path, headers }) => {
      const token =
        sessions.get(sessionOf(headers['cookie']))?.token ?? headers['authorization']?.toString().slice(7);
      return token === undefined ? kbsError(401, 'TokenNotFound', 'TOKEN_MISSING') : await seal(token, path);
    },
    'POST /kbs/v0/resource/': admin(({ path, body }) => {
      resources.set(path, body);
      return {};
    }),
    'DELETE /kbs/v0/resource/': admin(({ path }) =>
      resources.delete(path) ? {} : kbsError(404, 'PluginInternalError', 'RESOURCE_NOT_FOUND'),
    ),
    'GET /api/v1/policies/': admin(({ path }) => found(policies.get(path))),
    'PUT /api/v1/policies/': admin(({ path, body }) => {
      policies.set(path, { name: path.split('/').at(-1) ?? '', ...policySchema.parse(parsed(body)) });
      return json({ stored: true });
    }),
    'GET /api/v1/policies': admin(() => json({ items: [...policies.values()] })),
    'GET /api/v1/reference-values/': admin(({ path }) => found(values.get(nameOf(path)))),
    'PUT /api/v1/reference-values/': admin(({ path, body }) => {
      const { value, expires_at: expiresAt } = valueSchema.parse(parsed(body));
      values.set(nameOf(path), { name: nameOf(path), value, expires_at: expiresAt });
      return { status: 204 };
    }),
    'DELETE /api/v1/reference-values/': admin(({ path }) =>
      values.delete(nameOf(path)) ? { status: 204 } : found(undefined),
    ),
    // One item a page, so that the client has to turn pages.
    'GET /api/v1/reference-values': admin(({ path }) => {
      const after = new URL(path, 'http://x').searchParams.get('after');
      const items = [...values.values()];
      const index = after === null ? 0 : items.findIndex((item) => item.name === after) + 1;
      const item = items[index];
      return json({
        items: item === undefined ? [] : [item],
        next: index + 1 < items.length ? item?.name : null,
      });
    }),
    'GET /api/v1/decisions/': admin(({ path }) => found(path.endsWith(DECISION_ID) ? DECISION : undefined)),
    'GET /api/v1/decisions': admin(() => json({ items: [DECISION], next: DECISION_ID })),
    'GET /api/v1/collateral/export': admin(() => json(BUNDLE)),
    'POST /api/v1/collateral/import': admin(({ body }) => {
      const { items } = importSchema.parse(parsed(body));
      return json({ items: items.map((_item, index) => ({ kind: 'snp-crl', key: `item ${index}` })) });
    }),
    'GET /api/v1/collateral': admin(() => json(BUNDLE)),
  };

  async function reply(request: SeenRequest): Promise<FakeReply> {
    const override = answers.findLast(([prefix]) => request.path.startsWith(prefix));
    if (override !== undefined) return await override[1](request);
    const target = `${request.method} ${request.path}`;
    const name = Object.keys(routes)
      .filter((candidate) => target.startsWith(candidate))
      .toSorted((left, right) => right.length - left.length)[0];
    return name === undefined ? found(undefined) : await routes[name]!(request);
  }

  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const request = await read(incoming);
      seen.push(request);
      const { status = 200, headers = {}, body = '' } = await reply(request);
      outgoing.writeHead(status, headers).end(body);
    })();
  });
  return {
    url: await listen(server),
    seen,
    resources,
    jwks,
    answer: (prefix, answer) => {
      answers.push([prefix, typeof answer === 'function' ? answer : () => answer]);
    },
    mint,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const DECISION: Json = {
  id: DECISION_ID,
  at: '2026-11-24T09:59:00.000Z',
  kind: 'release',
  outcome: 'denied',
  code: 'POLICY_DENIED',
  subject: 'resource default/keys/disk',
  detail: { status: 'contraindicated' },
};
const BUNDLE: Json = {
  form: 1,
  items: [
    { kind: 'snp-crl', key: 'Milan', body: 'AAEC', expires_at: '2027-01-01T00:00:00Z', source: 'fetched' },
  ],
};

function admin(answer: Answer): Answer {
  return (request) =>
    request.headers['authorization'] === `Bearer ${FAKE_ADMIN_TOKEN}`
      ? answer(request)
      : problem(401, 'ADMIN_TOKEN_REFUSED', 'Cannot verify token with any of the issuers');
}

export function problem(status: number, code: string, detail: string, decisionId?: string): FakeReply {
  return {
    status,
    headers: { 'content-type': 'application/problem+json' },
    body: JSON.stringify({ type: `urn:verigo:error:${code}`, status, code, detail, decision_id: decisionId }),
  };
}

export function kbsError(status: number, type: string, code: string): FakeReply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'verigo-code': code, 'verigo-decision-id': DECISION_ID },
    body: JSON.stringify({
      type: `https://github.com/confidential-containers/kbs/errors/${type}`,
      detail: 'denied',
    }),
  };
}

function found(value: Json | undefined): FakeReply {
  return value === undefined ? problem(404, 'NOT_FOUND', 'nothing of that name') : json(value);
}

function json(value: unknown): FakeReply {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

function parsed(body: Buffer): unknown {
  return JSON.parse(body.toString());
}

function nameOf(path: string): string {
  return decodeURIComponent(path.split('/').at(-1) ?? '');
}

function sessionOf(cookie: string | string[] | undefined): string {
  return String(cookie).replace('kbs-session-id=', '');
}

async function read(incoming: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method = '', url: path = '', headers } = incoming;
  return { method, path, headers, body: Buffer.concat(chunks) };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
