import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Administrator,
  createAdministrator,
  SAMPLE_REFERENCE_VALUES,
} from '../harness/administrator.ts';
import { type Attested, attest, createGuestKey, getResource, sampleSource } from '../harness/guest.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { policyGiving, resourcePolicy } from '../harness/rego.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const RESOURCE = 'default/policy/secret';
const DEADLINE_MS = 500;
/** Looks for a long text in a longer one, which takes minutes and no memory. */
const ENDLESS = `package policy

kibibyte := "${'a'.repeat(1024)}"

needle := concat("", array.concat([kibibyte | some _ in numbers.range(1, 200)], ["b"]))

trust_claims := {"hardware": 2} if contains(concat("", [kibibyte | some _ in numbers.range(1, 400)]), needle)
`;
/** Keeps a hundred million pairs. */
const GREEDY = `package policy

numbers_ := numbers.range(1, 10000)

trust_claims := {"hardware": count({[a, b] | some a in numbers_; some b in numbers_})}
`;

let verigo: RunningVerigo;
let administrator: Administrator;

beforeAll(async () => {
  verigo = await startVerigo({ config: { policy: { deadline_ms: DEADLINE_MS } } });
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

/** Upstream's faces: of the attestation service and of the key broker. */
const upstream = {
  'POST /policy': async (name: string, rego: string): Promise<HttpReply> =>
    await send(verigo.url, '/policy', {
      json: { policy_id: name, policy: encode(rego) },
      token: administrator.token,
    }),
  'POST /kbs/v0/attestation-policy': async (name: string, rego: string): Promise<HttpReply> =>
    await send(verigo.url, '/kbs/v0/attestation-policy', {
      json: { type: 'rego', policy_id: name, policy: encode(rego) },
      token: administrator.token,
    }),
};
const postResourcePolicy = async (rego: string): Promise<HttpReply> =>
  await send(verigo.url, '/kbs/v0/resource-policy', {
    json: { policy: encode(rego) },
    token: administrator.token,
  });

function encode(rego: string): string {
  return Buffer.from(rego).toString('base64url');
}

function cpu0(token: string): { 'ear.status': string; 'ear.trustworthiness-vector': Record<string, number> } {
  return decodeJwt<{ submods: Record<string, ReturnType<typeof cpu0>> }>(token).submods['cpu0']!;
}

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
    expect(await upstream['POST /policy']('default_cpu', rego)).toMatchObject({
      status: 422,
      code: 'POLICY_DOES_NOT_COMPILE',
    });
    expect(await upstream['POST /kbs/v0/attestation-policy']('default_cpu', rego)).toMatchObject({
      status: 400,
      code: 'POLICY_DOES_NOT_COMPILE',
    });
    expect((await send(verigo.url, '/policy/default_cpu')).text).toBe(before);
    expect(await versions()).toBe(known);
    expect(cpu0((await attestWith()).token)['ear.status']).toBe('affirming');
  });

  test('nor does a resource policy', async () => {
    const reply = await postResourcePolicy('package policy\n\nallow if input.x ==\n');
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
      expect(await upstream['POST /policy'](name, policyGiving(2))).toMatchObject({
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
      [what, 'POST /policy', rego] as const,
      [what, 'POST /kbs/v0/attestation-policy', rego] as const,
    ]),
  )('%s: %s takes it with a warning, and it claims nothing', async (_what, face, rego) => {
    const set = await upstream[face]('warned_cpu', rego);
    expect(set.status, set.text).toBe(200);
    expect(set.headers.get('warning')).toMatch(
      /^299 verigo "expected package policy with a rule 'trust_claims'/,
    );
    const { token } = await attestWith('warned');
    expect(cpu0(token)['ear.status']).toBe('none');
    const vector = Object.values(cpu0(token)['ear.trustworthiness-vector']);
    expect(vector).toHaveLength(8);
    expect(vector.every((claim) => claim === 0)).toBe(true);
    expect(await getResource(verigo.url, RESOURCE, { token })).toMatchObject({
      status: 401,
      code: 'POLICY_DENIED',
    });
  });
});

describe('a resource policy', () => {
  beforeEach(async () => {
    expect(await postResourcePolicy(resourcePolicy(true))).toMatchObject({ status: 200 });
  });
  afterAll(async () => {
    await postResourcePolicy(resourcePolicy(true));
  });

  test('without allow is taken with a warning, and denies', async () => {
    const set = await postResourcePolicy('package policy\n\ngrant := true\n');
    expect(set).toMatchObject({ status: 200 });
    expect(set.headers.get('warning')).toContain("a rule 'allow'");
    expect(await getResource(verigo.url, RESOURCE, await attestWith())).toMatchObject({
      status: 401,
      code: 'POLICY_DENIED',
    });
  });

  test.each(['"true"', '1', '{"allow": true}', '[true]', 'null', '{x | some x in [true]}', 'input.nothing'])(
    'that answers %s denies',
    async (answer) => {
      expect(await postResourcePolicy(`package policy\n\nallow := ${answer}\n`)).toMatchObject({
        status: 200,
      });
      expect(await getResource(verigo.url, RESOURCE, await attestWith())).toMatchObject({
        status: 401,
        code: 'POLICY_DENIED',
      });
    },
  );

  test('that contradicts itself releases nothing', async () => {
    await postResourcePolicy(
      'package policy\n\nallow := true if input.submods\n\nallow := false if input.iss\n',
    );
    const reply = await getResource(verigo.url, RESOURCE, await attestWith());
    expect(reply).toMatchObject({ status: 500, code: 'POLICY_EVALUATION_FAILED' });
    expect(await administrator.decision(reply.decisionId)).toMatchObject({
      outcome: 'failed',
      code: 'POLICY_EVALUATION_FAILED',
    });
  });

  test('sees what is asked for, the query included', async () => {
    await postResourcePolicy(`package policy

default allow := false

allow if {
	data.plugin == "resource"
	data["resource-path"] == ["default", "policy", "secret"]
	data.query == {"purpose": "boot it"}
}
`);
    const credentials = await attestWith();
    expect((await getResource(verigo.url, `${RESOURCE}?purpose=boot%20it`, credentials)).status).toBe(200);
    expect((await getResource(verigo.url, `${RESOURCE}?purpose=else`, credentials)).code).toBe(
      'POLICY_DENIED',
    );
    expect(
      await getResource(verigo.url, `${RESOURCE}?purpose=boot%20it&purpose=else`, credentials),
    ).toMatchObject({ status: 400, code: 'QUERY_MALFORMED' });
  });
});

describe('an attestation policy that answers nonsense', () => {
  test.each([
    ['a text', '"affirming"'],
    ['a list', '[2]'],
    ['nothing at all', '{}'],
    ['an unknown claim', '{"hardwear": 2}'],
    ['a text as claim', '{"hardware": "2"}'],
    ['a fraction', '{"hardware": 2.5}'],
    ['more than eight bits hold', '{"hardware": 200}'],
    ['less than eight bits hold', '{"hardware": -129}'],
    ['null', 'null'],
    ['undefined', 'input.nothing'],
  ])('%s: no token is minted', async (_what, answer) => {
    expect(
      await administrator.setPolicy(
        'attestation',
        'nonsense_cpu',
        `package policy\n\ntrust_claims := ${answer}\n`,
      ),
    ).toMatchObject({ status: 200 });
    const { reply } = await attestWith('nonsense');
    expect(reply).toMatchObject({ status: 500, code: 'POLICY_RESULT_INVALID' });
    expect(reply.detail).toContain('nonsense_cpu');
    expect(await administrator.decision(reply.decisionId)).toMatchObject({ code: 'POLICY_RESULT_INVALID' });
  });

  test.each(['ear.status', 'ear.verigo.simulated', 'ear.trustworthiness-vector'])(
    'an extension named %s: no token is minted',
    async (name) => {
      await administrator.setPolicy(
        'attestation',
        'nonsense_cpu',
        `${policyGiving(2)}\nextensions := [{"name": "${name}", "key": 1, "value": "x"}]\n`,
      );
      expect((await attestWith('nonsense')).reply).toMatchObject({
        status: 500,
        code: 'EXTENSION_NAME_RESERVED',
      });
    },
  );

  test('a policy that is not there is named', async () => {
    const { reply } = await attestWith('nonesuch');
    expect(reply).toMatchObject({ status: 404, code: 'POLICY_NOT_FOUND' });
    expect(reply.detail).toContain('nonesuch_cpu');
  });

  test.each(['../default', 'a/../b', 'a\u0000b'])('a policy id %j is refused', async (id) => {
    expect((await attestWith(id)).reply).toMatchObject({ code: 'POLICY_NAME_INVALID' });
  });
});

describe('a policy that does not end', () => {
  test('is stopped at its deadline, and others are served meanwhile', async () => {
    expect(await administrator.setPolicy('attestation', 'endless_cpu', ENDLESS)).toMatchObject({
      status: 200,
    });
    const started = performance.now();
    const endless = Promise.all(Array.from({ length: 4 }, async () => await attestWith('endless')));
    const health = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const asked = performance.now();
        expect(await send(verigo.url, '/policy/default_cpu')).toMatchObject({ status: 200 });
        return performance.now() - asked;
      }),
    );
    expect(Math.max(...health)).toBeLessThan(DEADLINE_MS * 5);
    const [good, ...bad] = await Promise.all([attestWith(), ...(await endless)]);
    expect(good.reply.status, good.reply.text).toBe(200);
    for (const { reply } of bad) {
      expect(reply).toMatchObject({ status: 503, code: 'POLICY_DEADLINE_EXCEEDED' });
      expect(reply.detail).toContain('endless_cpu');
    }
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(cpu0((await attestWith()).token)['ear.status']).toBe('affirming');
  });

  test('nor does one that wants more and more memory harm others', async () => {
    expect(await administrator.setPolicy('attestation', 'greedy_cpu', GREEDY)).toMatchObject({ status: 200 });
    const { reply } = await attestWith('greedy');
    expect(['POLICY_EVALUATION_FAILED', 'POLICY_DEADLINE_EXCEEDED']).toContain(reply.code);
    expect(cpu0((await attestWith()).token)['ear.status']).toBe('affirming');
  });
});
