import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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

describe('a resource policy', () => {
  beforeEach(async () => {
    expect(await administrator.postResourcePolicy(resourcePolicy(true))).toMatchObject({ status: 200 });
  });
  afterAll(async () => {
    await administrator.postResourcePolicy(resourcePolicy(true));
  });

  test('without allow is taken with a warning, and denies', async () => {
    const set = await administrator.postResourcePolicy('package policy\n\ngrant := true\n');
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
      expect(await administrator.postResourcePolicy(`package policy\n\nallow := ${answer}\n`)).toMatchObject({
        status: 200,
      });
      expect(await getResource(verigo.url, RESOURCE, await attestWith())).toMatchObject({
        status: 401,
        code: 'POLICY_DENIED',
      });
    },
  );

  test('that contradicts itself releases nothing', async () => {
    await administrator.postResourcePolicy(
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
    await administrator.postResourcePolicy(`package policy

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
    const good = await attestWith();
    expect(good.reply.status, good.reply.text).toBe(200);
    for (const { reply } of await endless) {
      expect(reply).toMatchObject({ status: 503, code: 'POLICY_DEADLINE_EXCEEDED' });
      expect(reply.detail).toContain('endless_cpu');
    }
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(appraisalIn((await attestWith()).token)['ear.status']).toBe('affirming');
  });

  test('nor does one that wants more and more memory harm others', async () => {
    expect(await administrator.setPolicy('attestation', 'greedy_cpu', GREEDY)).toMatchObject({ status: 200 });
    const { reply } = await attestWith('greedy');
    expect(['POLICY_EVALUATION_FAILED', 'POLICY_DEADLINE_EXCEEDED']).toContain(reply.code);
    expect(appraisalIn((await attestWith()).token)['ear.status']).toBe('affirming');
  });
});
