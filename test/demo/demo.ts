/** `npm run demo [-- --vectors DIR]`: the main job, end to end, against a server on a free port. Exits 0 when all went well. */
import { parseArgs } from 'node:util';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { Json, JsonObject } from '../../server/claims/claims.ts';
import { jsonBody } from '../../server/cli/api-client.ts';
import { createSampleRequest, requestToken } from '../../server/cli/attest-exchange.ts';
import { ServerRefusal } from '../../server/cli/command-error.ts';
import { attestSampleSession, fetchResource, resourcePath } from '../../server/cli/resource-exchange.ts';
import { createTeeKey } from '../../server/cli/tee-key.ts';
import { trustWords } from '../../server/cli/trust-words.ts';
import { type DemoServer, startDemoServer } from './demo-server.ts';
import { findSnpEvidence } from './snp-source.ts';

const RESOURCE = 'default/disk/passphrase';
const SECRET = 'correct horse battery staple';

const submodSchema = z.looseObject({
  'ear.status': z.string(),
  'ear.trustworthiness-vector': z.record(z.string(), z.number()),
  'ear.veraison.annotated-evidence': z.record(z.string(), z.custom<Json>()),
});
const tokenSchema = z.looseObject({ submods: z.record(z.string(), submodSchema) });
const decisionSchema = z.looseObject({
  outcome: z.string(),
  code: z.string().nullable(),
  detail: z.custom<JsonObject>(),
});
type Token = z.output<typeof tokenSchema>;

/** The names that the default policy asks for, and the claims that they are compared with. */
const SNP_REFERENCE_VALUES = [
  ['snp_launch_measurement', 'measurement'],
  ['snp_bootloader', 'reported_tcb_bootloader'],
  ['snp_microcode', 'reported_tcb_microcode'],
  ['snp_snp_svn', 'reported_tcb_snp'],
  ['snp_tee_svn', 'reported_tcb_tee'],
] as const;
const SAMPLE_REFERENCE_VALUES: readonly (readonly [string, Json])[] = [
  ['launch_digest', ['abcde']],
  ['svn', ['1']],
  ['major_version', 1],
  ['minimum_minor_version', 1],
];

const say = (line = ''): void => {
  process.stdout.write(`${line}\n`);
};
const title = (text: string): void => {
  say(`\n== ${text}`);
};

const { values } = parseArgs({ options: { vectors: { type: 'string' } } });
const snp = await findSnpEvidence(values.vectors);
const server = await startDemoServer(snp.rootsPem, say);
try {
  say(`Verigo serves every role on ${server.address}, with a Postgres of its own.`);
  await attestSnp(server);
  const key = createTeeKey();
  await releaseInPassportMode(server, key);
  await releaseInBackgroundCheckMode(server);
  await showRefusal(server);
  say('\nEverything went as it should.');
} finally {
  await server.close();
}

/** 1. Evidence becomes a token; what was measured becomes reference values; the same evidence is affirmed. */
async function attestSnp(at: DemoServer): Promise<void> {
  title('1. AMD SEV-SNP evidence becomes a token');
  say(`Evidence: ${snp.origin}.`);
  say('Revocation lists are used when there are any; this server fetches nothing.');
  const before = await requestToken(at.api, { tee: 'snp', evidence: snp.evidence }, undefined);
  await showToken(at, before.token, before.decisionId);

  say(
    '\nIt is genuine, but nobody has said what is expected. So its measured values become reference values:',
  );
  const claims = submodule(decode(before.token), 'cpu0')['ear.veraison.annotated-evidence'][
    'snp'
  ] as JsonObject;
  for (const [name, claim] of SNP_REFERENCE_VALUES)
    await setReferenceValue(at, name, [claims[claim] ?? null]);
  const after = await requestToken(at.api, { tee: 'snp', evidence: snp.evidence }, undefined);
  await showToken(at, after.token, after.decisionId);
  expectStatus(after.token, 'affirming');
}

/** 2. The guest fetches its token itself, and shows it to the key broker. */
async function releaseInPassportMode(at: DemoServer, key: ReturnType<typeof createTeeKey>): Promise<void> {
  title('2. Passport: the guest brings its token, the secret leaves encrypted to its key');
  const stored = { type: 'application/octet-stream', bytes: new TextEncoder().encode(SECRET) };
  await at.api.send({ method: 'POST', path: resourcePath(RESOURCE), body: stored, token: at.adminToken });
  say(`The administrator stores '${RESOURCE}'.`);
  for (const [name, value] of SAMPLE_REFERENCE_VALUES) await setReferenceValue(at, name, value);
  const { token, decisionId } = await requestToken(at.api, await createSampleRequest(at.api, key), undefined);
  say('Sample evidence, bound to a nonce of this server and to the key of the guest:');
  await showToken(at, token, decisionId);
  showSecret(await fetchResource(at.api, resourcePath(RESOURCE), { token }, key.privateKey));
}

/** 3. The key broker carries the evidence to the attestation service. */
async function releaseInBackgroundCheckMode(at: DemoServer): Promise<void> {
  title('3. Background check: the key broker has the evidence attested, the guest holds a session');
  const key = createTeeKey();
  const cookie = await attestSampleSession(at.api, key);
  say('POST /kbs/v0/auth, POST /kbs/v0/attest: the session is attested.');
  showSecret(await fetchResource(at.api, resourcePath(RESOURCE), { headers: { cookie } }, key.privateKey));
}

/** 4. What was right stops being right: the same guest is refused, and the record says why. */
async function showRefusal(at: DemoServer): Promise<void> {
  title('4. A refusal, and the reason behind it');
  await setReferenceValue(at, 'svn', ['2']);
  say('From now on only svn 2 is expected; the guest still says 1.');
  const key = createTeeKey();
  const { token } = await requestToken(at.api, await createSampleRequest(at.api, key), undefined);
  try {
    await fetchResource(at.api, resourcePath(RESOURCE), { token }, key.privateKey);
  } catch (error) {
    if (!(error instanceof ServerRefusal) || error.decisionId === undefined) throw error;
    say(`refused   ${error.code}`);
    say(`decision  ${error.decisionId}`);
    await showDecision(at, error.decisionId);
    return;
  }
  throw new Error('expected the resource to be refused, got it');
}

async function showDecision(at: DemoServer, id: string): Promise<void> {
  const path = `/api/v1/decisions/${id}`;
  const { outcome, code, detail } = await at.api.json(
    { method: 'GET', path, token: at.adminToken },
    decisionSchema,
  );
  const { submods } = z
    .looseObject({
      submods: z.record(z.string(), z.looseObject({ trust_vector: z.record(z.string(), z.number()) })),
    })
    .parse(detail);
  say(`The record says: ${outcome}${code === null ? '' : `, ${code}`}, on this trust vector:`);
  for (const [name, { trust_vector: vector }] of Object.entries(submods)) showVector(name, vector);
}

/** The submodules of a token, their status, and why: the vector in words and the reference values behind it. */
async function showToken(at: DemoServer, token: string, decisionId: string | undefined): Promise<void> {
  for (const [name, submod] of Object.entries(decode(token).submods)) {
    say(`token     ${name}: ${submod['ear.status']}`);
    showVector(name, submod['ear.trustworthiness-vector']);
  }
  if (decisionId === undefined) throw new Error('expected the id of a decision beside the token, got none');
  const path = `/api/v1/decisions/${decisionId}`;
  const { detail } = await at.api.json({ method: 'GET', path, token: at.adminToken }, decisionSchema);
  const record = z
    .looseObject({
      submods: z.record(
        z.string(),
        z.looseObject({ reference_values_asked: z.record(z.string(), z.string()) }),
      ),
    })
    .parse(detail);
  for (const { reference_values_asked: asked } of Object.values(record.submods)) {
    const named = (state: string): string =>
      Object.keys(asked)
        .filter((one) => asked[one] === state)
        .join(', ') || 'none';
    say(`why       reference values that were there: ${named('present')}`);
    say(`          asked for in vain: ${named('absent')}`);
  }
}

function showVector(name: string, vector: Readonly<Record<string, number>>): void {
  for (const [claim, value] of Object.entries(vector)) {
    if (value !== 0)
      say(
        `          ${name} ${claim} = ${value}: ${trustWords(claim as Parameters<typeof trustWords>[0], value)}`,
      );
  }
}

function showSecret(content: Uint8Array): void {
  const text = new TextDecoder().decode(content);
  if (text !== SECRET) throw new Error('expected the secret that was stored, got another');
  say(`released  "${text}"`);
}

async function setReferenceValue(at: DemoServer, name: string, value: Json): Promise<void> {
  const path = `/api/v1/reference-values/${encodeURIComponent(name)}`;
  await at.api.send({ method: 'PUT', path, body: jsonBody({ value }), token: at.adminToken });
}

function expectStatus(token: string, status: string): void {
  const found = submodule(decode(token), 'cpu0')['ear.status'];
  if (found !== status) throw new Error(`expected a token with status ${status}, got ${found}`);
}

function decode(token: string): Token {
  return tokenSchema.parse(decodeJwt(token));
}

function submodule(token: Token, name: string): Token['submods'][string] {
  const found = token.submods[name];
  if (found === undefined) throw new Error(`expected a submodule ${name} in the token, got none`);
  return found;
}
