import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PolicyError } from '../../../server/policy/policy.ts';
import { createPolicyRepository } from '../../../server/policy/policy-repository.ts';
import { createPolicyStore, type PolicyStore } from '../../../server/policy/policy-store.ts';
import { seedPolicies } from '../../../server/policy/seed-policies.ts';
import type { Changes, ChangeTopic } from '../../../server/storage/changes.ts';
import { announceChange } from '../../../server/storage/changes.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';
import { evaluateOnce } from './evaluate-once.ts';
import { testCompiler } from './test-opa.ts';

const POLICIES = join(import.meta.dirname, '..', '..', '..', 'policies');
const RULE = (value: number): string => `package policy\n\ntrust_claims := {"hardware": ${value}}\n`;

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await database.drop();
});

/** The change feed of one replica, told by hand. */
function replica() {
  const listeners: (() => void)[] = [];
  const changes: Changes = {
    announce: async (transaction, topic) => {
      await announceChange(transaction, topic, false);
    },
    on: (_topic: ChangeTopic, listener) => {
      listeners.push(listener);
    },
  };
  return {
    changes,
    hearOfChange: () => {
      for (const listener of listeners) listener();
    },
  };
}

async function storeOn(
  changes: Changes,
  clock = () => new Date('2026-11-23T12:00:00Z'),
): Promise<PolicyStore> {
  const repository = createPolicyRepository(database.db, changes);
  return createPolicyStore({ repository, compile: await testCompiler(), changes, clock });
}

/** A replica without OPA. */
function storeWithoutCompiler(changes: Changes): PolicyStore {
  return createPolicyStore({
    repository: createPolicyRepository(database.db, changes),
    compile: async () => await Promise.reject(new PolicyError('POLICY_COMPILER_UNAVAILABLE', 'no OPA here')),
    changes,
    clock: () => new Date('2026-11-23T12:00:00Z'),
  });
}

const cpu = { kind: 'attestation', name: 'my_cpu', author: 'ada', mode: 'strict' } as const;

async function versionOfPolicyTopic(): Promise<string | undefined> {
  const row = await database.db
    .selectFrom('change_topic')
    .select('version')
    .where('topic', '=', 'policy')
    .executeTakeFirst();
  return row?.version;
}

describe('the policy store', () => {
  it('puts a policy in force and tells all replicas, in one transaction', async () => {
    const store = await storeOn(replica().changes);
    const { ref, warnings } = await store.set({ ...cpu, source: RULE(2) });
    expect(ref).toMatchObject({ name: 'my_cpu', sha384: expect.stringMatching(/^[0-9a-f]{96}$/) as string });
    expect(warnings).toEqual([]);
    expect(await versionOfPolicyTopic()).toBe('1');
    expect(await store.find('attestation', 'my_cpu')).toMatchObject({
      source: RULE(2),
      author: 'ada',
      rules: ['trust_claims'],
    });
    const active = await store.active('attestation', 'my_cpu');
    expect(active.ref).toEqual(ref);
    expect(await evaluateOnce(active.module.bytes, {})).toEqual({ trust_claims: { hardware: 2 } });
  });

  it('keeps every version, and has the last in force', async () => {
    let at = new Date('2026-11-23T12:00:00Z');
    const store = await storeOn(replica().changes, () => at);
    await store.set({ ...cpu, source: RULE(2) });
    at = new Date('2026-11-24T12:00:00Z');
    await store.set({ ...cpu, source: RULE(3), author: 'bob' });
    const versions = await store.listVersions('attestation', 'my_cpu');
    expect(versions.map(({ author, createdAt }) => [author, createdAt.toISOString()])).toEqual([
      ['bob', '2026-11-24T12:00:00.000Z'],
      ['ada', '2026-11-23T12:00:00.000Z'],
    ]);
    expect((await store.find('attestation', 'my_cpu'))?.source).toBe(RULE(3));
    expect(await store.list()).toMatchObject([{ name: 'my_cpu', author: 'bob', updatedAt: at }]);
  });

  it('leaves the policy in force when another does not compile', async () => {
    const store = await storeOn(replica().changes);
    await store.set({ ...cpu, source: RULE(2) });
    await expect(store.set({ ...cpu, source: 'package policy\n\nallow if {' })).rejects.toMatchObject({
      code: 'POLICY_DOES_NOT_COMPILE',
    });
    expect((await store.find('attestation', 'my_cpu'))?.source).toBe(RULE(2));
    expect(await versionOfPolicyTopic()).toBe('1');
  });

  it('loads a policy once, until it changes', async () => {
    const [writer, reader] = [replica(), replica()];
    const [writing, reading] = [await storeOn(writer.changes), storeWithoutCompiler(reader.changes)];
    await writing.set({ ...cpu, source: RULE(2) });
    const before = await reading.active('attestation', 'my_cpu');
    await writing.set({ ...cpu, source: RULE(3) });
    expect(await reading.active('attestation', 'my_cpu')).toBe(before);
    reader.hearOfChange();
    const after = await reading.active('attestation', 'my_cpu');
    expect(after.ref.sha384).not.toBe(before.ref.sha384);
    expect(await writing.active('attestation', 'my_cpu')).toEqual(after);
  });

  it('finds a policy that came after it was missed', async () => {
    const store = await storeOn(replica().changes);
    await expect(store.active('attestation', 'my_cpu')).rejects.toMatchObject({ code: 'POLICY_NOT_FOUND' });
    await store.set({ ...cpu, source: RULE(2) });
    expect((await store.active('attestation', 'my_cpu')).ref.name).toBe('my_cpu');
  });

  it('keeps policies of both kinds apart', async () => {
    const store = await storeOn(replica().changes);
    await store.set({ ...cpu, name: 'same', source: RULE(2) });
    await expect(store.active('resource', 'same')).rejects.toMatchObject({ code: 'POLICY_NOT_FOUND' });
    expect(await store.find('resource', 'same')).toBeUndefined();
  });

  it.each([
    '',
    '..',
    'a/../b',
    '/a',
    'a/',
    'a//b',
    '.',
    'ä',
    'a b',
    'a\0',
    'a\n',
    'а',
    'x'.repeat(129),
    '%2e%2e',
  ])('refuses the name %j', async (name) => {
    const store = storeWithoutCompiler(replica().changes);
    await expect(store.set({ ...cpu, name, source: RULE(2) })).rejects.toMatchObject({
      code: 'POLICY_NAME_INVALID',
    });
    await expect(store.active('attestation', name)).rejects.toMatchObject({ code: 'POLICY_NAME_INVALID' });
    await expect(store.find('attestation', name)).rejects.toMatchObject({ code: 'POLICY_NAME_INVALID' });
  });

  it.each(['default_cpu', 'a/b.c-d_E', 'x'.repeat(128), '...'])('takes the name %j', async (name) => {
    const store = storeWithoutCompiler(replica().changes);
    expect(await store.find('attestation', name)).toBeUndefined();
  });
});

describe('seeding', () => {
  const NAMES = [
    'attestation/default_cpu',
    'attestation/default_gpu',
    'attestation/default_ppcie',
    'attestation/default_switch',
    'resource/resource-policy',
  ];

  it('puts the policies of the folder in force, once, and needs no compiler the second time', async () => {
    const first = await storeOn(replica().changes);
    expect(await seedPolicies(first, POLICIES)).toEqual(NAMES);
    expect((await first.list()).map(({ kind, name }) => `${kind}/${name}`)).toEqual(NAMES);
    const second = storeWithoutCompiler(replica().changes);
    expect(await seedPolicies(second, POLICIES)).toEqual([]);
    expect((await second.active('resource', 'resource-policy')).rules).toEqual(['allow']);
  });

  it('leaves what is in force, and what was changed in it', async () => {
    const store = await storeOn(replica().changes);
    await store.set({ ...cpu, name: 'default_cpu', source: RULE(2) });
    expect(await seedPolicies(store, POLICIES)).toEqual(NAMES.slice(1));
    expect((await store.find('attestation', 'default_cpu'))?.source).toBe(RULE(2));
  });

  it('sets each policy once when two replicas start at once', async () => {
    const stores = [await storeOn(replica().changes), await storeOn(replica().changes)];
    const seeded = await Promise.all(stores.map(async (store) => await seedPolicies(store, POLICIES)));
    expect(seeded.flat().sort()).toEqual(NAMES);
    expect(await stores[0]!.listVersions('attestation', 'default_cpu')).toHaveLength(1);
    expect(await versionOfPolicyTopic()).toBe('5');
  });

  it('fails when a policy of the folder does not compile', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'verigo-test-'));
    await cp(POLICIES, folder, { recursive: true });
    await writeFile(
      join(folder, 'attestation', 'default_gpu', 'default_gpu.rego'),
      'package policy\n\nallow := true\n',
    );
    const store = await storeOn(replica().changes);
    await expect(seedPolicies(store, folder)).rejects.toMatchObject({ code: 'POLICY_LACKS_CONTRACT' });
    await rm(folder, { recursive: true });
  });
});
