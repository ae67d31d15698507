import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Administrator,
  createAdministrator,
  SAMPLE_REFERENCE_VALUES,
} from '../harness/administrator.ts';
import {
  type Attested,
  appraisalIn,
  attest,
  createGuestKey,
  getResource,
  sampleSource,
} from '../harness/guest.ts';
import { send } from '../harness/http.ts';
import { policyGiving } from '../harness/rego.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const RESOURCE = 'default/policy/secret';

let verigo: RunningVerigo;
let administrator: Administrator;

beforeAll(async () => {
  verigo = await startVerigo();
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.setReferenceValues(SAMPLE_REFERENCE_VALUES);
  await administrator.putResource(RESOURCE, 'secret');
});
afterAll(async () => {
  await verigo.close();
});

const attestWith = async (policyId?: string): Promise<Attested> =>
  await attest(
    verigo.url,
    sampleSource,
    createGuestKey(),
    policyId === undefined ? {} : { policyIds: [policyId] },
  );

const uncompilable: readonly (readonly [string, string, RegExp])[] = [
  ['no Rego', 'this is not Rego', /line 1/],
  ['an empty file', '', /empty module/],
  ['an unsafe variable', 'package policy\n\ntrust_claims := {"hardware": x}\n', /line 3/],
  [
    'a built-in that opens connections',
    'package policy\n\ntrust_claims := {"hardware": http.send({"method": "get", "url": "http://localhost"}).status_code}\n',
    /http\.send/,
  ],
  [
    'a built-in that reads the environment',
    'package policy\n\ntrust_claims := {"hardware": count(opa.runtime().env)}\n',
    /opa\.runtime/,
  ],
  [
    'a built-in that nobody has',
    'package policy\n\ntrust_claims := {"hardware": no.such("x")}\n',
    /no\.such/,
  ],
];
const lacking: readonly (readonly [string, string])[] = [
  ['another package', 'package other\n\ntrust_claims := {"hardware": 2}\n'],
  ['no such rule', 'package policy\n\nverdict := {"hardware": 2}\n'],
];

describe('a policy that does not compile', () => {
  test.each(uncompilable)('%s is refused everywhere and changes nothing', async (_what, rego, message) => {
    const before = (await send(verigo.url, '/policy/default_cpu')).text;
    const versions = async () =>
      (
        await send(verigo.url, '/api/v1/policies/attestation/default_cpu/versions', {
          token: administrator.token,
        })
      ).text;
    const known = await versions();
    const strict = await administrator.setPolicy('attestation', 'default_cpu', rego);
    expect(strict).toMatchObject({ status: 422, code: 'POLICY_DOES_NOT_COMPILE' });
    expect(strict.detail).toMatch(message);
    expect(await administrator.decision(strict.decisionId)).toMatchObject({
      kind: 'admin',
      outcome: 'denied',
      subject: 'policy set attestation/default_cpu',
    });
    expect(await administrator.postPolicy('/policy', 'default_cpu', rego)).toMatchObject({
      status: 422,
      code: 'POLICY_DOES_NOT_COMPILE',
    });
    expect(await administrator.postPolicy('/kbs/v0/attestation-policy', 'default_cpu', rego)).toMatchObject({
      status: 400,
      code: 'POLICY_DOES_NOT_COMPILE',
    });
    expect((await send(verigo.url, '/policy/default_cpu')).text).toBe(before);
    expect(await versions()).toBe(known);
    expect(appraisalIn((await attestWith()).token)['ear.status']).toBe('affirming');
  });

  test('nor does a resource policy', async () => {
    const reply = await administrator.postResourcePolicy('package policy\n\nallow if input.x ==\n');
    expect(reply).toMatchObject({ status: 400, code: 'POLICY_DOES_NOT_COMPILE' });
    expect((reply.json() as { type: string }).type).toMatch(/PolicyEngineError$/);
    expect((await getResource(verigo.url, RESOURCE, await attestWith())).status).toBe(200);
  });

  test('a policy that is too large is refused before it is compiled', async () => {
    const rego = `package policy\n\n# ${'x'.repeat(256 * 1024)}\n`;
    expect(await administrator.setPolicy('attestation', 'large_cpu', rego)).toMatchObject({
      status: 413,
      code: 'POLICY_TOO_LARGE',
    });
  });

  test.each(['../default_cpu', 'a/../../b', '.', 'a b', 'ä', 'x'.repeat(129), 'a\u0000b', '/etc/passwd', ''])(
    'a name %j is none',
    async (name) => {
      expect(await administrator.postPolicy('/policy', name, policyGiving(2))).toMatchObject({
        status: 422,
        code: 'POLICY_NAME_INVALID',
      });
      if (name !== '' && name !== '.') {
        expect(
          await administrator.setPolicy('attestation', encodeURIComponent(name), policyGiving(2)),
        ).toMatchObject({ status: 422, code: 'POLICY_NAME_INVALID' });
      }
    },
  );
});

describe('an attestation policy that lacks the contract', () => {
  test.each(lacking)('%s: the own API refuses it', async (_what, rego) => {
    expect(await administrator.setPolicy('attestation', 'lacking_cpu', rego)).toMatchObject({
      status: 422,
      code: 'POLICY_LACKS_CONTRACT',
    });
    expect(await send(verigo.url, '/policy/lacking_cpu')).toMatchObject({ status: 404 });
  });

  test.each(
    lacking.flatMap(([what, rego]) => [
      [what, '/policy', rego] as const,
      [what, '/kbs/v0/attestation-policy', rego] as const,
    ]),
  )('%s: POST %s takes it with a warning, and it claims nothing', async (_what, route, rego) => {
    const set = await administrator.postPolicy(route, 'warned_cpu', rego);
    expect(set.status, set.text).toBe(200);
    expect(set.headers.get('warning')).toMatch(
      /^299 verigo "expected package policy with a rule 'trust_claims'/,
    );
    const { token } = await attestWith('warned');
    expect(appraisalIn(token)['ear.status']).toBe('none');
    const vector = Object.values(appraisalIn(token)['ear.trustworthiness-vector']);
    expect(vector).toHaveLength(8);
    expect(vector.every((claim) => claim === 0)).toBe(true);
    expect(await getResource(verigo.url, RESOURCE, { token })).toMatchObject({
      status: 401,
      code: 'POLICY_DENIED',
    });
  });
});
