import { createSecretKey, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNonces, type Nonces } from '../../../server/freshness/nonce.ts';
import { createNonceRepository } from '../../../server/freshness/nonce-repository.ts';
import { createTestDatabase } from '../../fakes/test-database.ts';

const at = new Date('2026-06-01T00:00:00Z');
const after = (seconds: number) => new Date(at.getTime() + seconds * 1000);
const key = createSecretKey(randomBytes(32));

describe('nonces', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await database.drop();
  });

  /** A replica: it shares the key and the database with the others, nothing else. */
  const replica = (with_ = key): Nonces => {
    const repository = createNonceRepository(database.db);
    return createNonces({
      keys: () => [with_],
      lifetimeSeconds: 300,
      spendOnce: async (nonce) => await repository.submit(nonce),
    });
  };

  it('are base64 within the length of an eat_nonce, and differ', () => {
    const nonces = Array.from({ length: 100 }, () => replica().issue('snp', at));
    expect(new Set(nonces).size).toBe(100);
    for (const nonce of nonces) {
      expect(nonce).toMatch(/^[A-Za-z0-9+/]+=*$/);
      expect(nonce.length).toBeLessThanOrEqual(88);
    }
  });

  it('can be spent once, on whichever replica', async () => {
    const nonce = replica().issue('snp', at);
    expect(await replica().spend(nonce, ['snp'], after(1))).toBe('spent');
    await expect(replica().spend(nonce, ['snp'], after(2))).rejects.toMatchObject({
      code: 'NONCE_ALREADY_USED',
    });
  });

  it('are spent by exactly one of many that try at once, on two replicas', async () => {
    const nonce = replica().issue('tdx', at);
    const replicas = [replica(), replica()] as const;
    const attempts = await Promise.allSettled(
      Array.from(
        { length: 40 },
        async (_value, index) => await replicas[index % 2 === 0 ? 0 : 1].spend(nonce, ['tdx'], at),
      ),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('serve the devices that are attested together with their TEE', async () => {
    const nonce = replica().issue('snp', at);
    expect(await replica().spend(nonce, ['snp', 'nvidia'], at)).toBe('spent');
  });

  it.each([
    ['of another server', () => replica(createSecretKey(randomBytes(32))).issue('snp', at)],
    ['of a caller that makes its own', () => randomBytes(32).toString('base64')],
    ['that is no base64', () => 'a nonce'],
    ['that is empty', () => ''],
    ['in another spelling', () => replica().issue('snp', at).replace(/.$/, '')],
  ])('are foreign when %s', async (_what, make) => {
    expect(await replica().spend(make(), ['snp'], at)).toBe('foreign');
  });

  it('expire', async () => {
    const nonce = replica().issue('snp', at);
    await expect(replica().spend(nonce, ['snp'], after(300))).rejects.toMatchObject({
      code: 'NONCE_EXPIRED',
    });
  });

  it('are bound to the TEE that they were issued for', async () => {
    const nonce = replica().issue('snp', at);
    await expect(replica().spend(nonce, ['tdx'], at)).rejects.toMatchObject({ code: 'NONCE_OTHER_TEE' });
  });
});
