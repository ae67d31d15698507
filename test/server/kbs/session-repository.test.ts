import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionRepository, type SessionRepository } from '../../../server/kbs/session-repository.ts';
import { createAtRest } from '../../../server/storage/at-rest.ts';
import { parseMasterKey } from '../../../server/storage/master-key.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';
import { AT } from '../token/fake-issuer.ts';

const expiresAt = new Date(AT.getTime() + 1000);
let database: TestDatabase;
let sessions: SessionRepository;

beforeAll(async () => {
  database = await createTestDatabase();
  const atRest = await createAtRest(database.db, parseMasterKey(randomBytes(32).toString('hex')), () => AT);
  sessions = createSessionRepository(database.db, atRest);
});

afterAll(async () => {
  await database.drop();
});

describe('createSessionRepository', () => {
  it('finds the token of a session until it expires', async () => {
    const id = await sessions.create('a token', expiresAt);
    expect(id).toMatch(/^[\w-]{43}$/);
    expect(await sessions.findToken(id, AT)).toBe('a token');
    expect(await sessions.findToken(id, expiresAt)).toBeUndefined();
    expect(await sessions.findToken(`${id.slice(0, -1)}_`, AT)).toBeUndefined();
  });

  it('keeps neither the id nor the token in the clear', async () => {
    const id = await sessions.create('a token in the clear', expiresAt);
    const rows = await database.db.selectFrom('kbs_session').selectAll().execute();
    const bytes = Buffer.concat(rows.flatMap(({ id_hash, sealed_token }) => [id_hash, sealed_token]));
    expect(bytes.includes('a token in the clear')).toBe(false);
    expect(bytes.includes(id)).toBe(false);
    expect(bytes.includes(Buffer.from(id, 'base64url'))).toBe(false);
  });

  it("does not open one session's token as another's", async () => {
    const [one, other] = [await sessions.create('one', expiresAt), await sessions.create('other', expiresAt)];
    const { db } = database;
    const rows = await db.selectFrom('kbs_session').selectAll().execute();
    const sealed = rows.at(-1)?.sealed_token ?? new Uint8Array();
    await db.updateTable('kbs_session').set({ sealed_token: sealed }).execute();
    const opened = await Promise.allSettled([sessions.findToken(one, AT), sessions.findToken(other, AT)]);
    expect(opened.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});
