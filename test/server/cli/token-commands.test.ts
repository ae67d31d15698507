import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FAKE_NOW, type FakeVerigo, startFakeVerigo } from '../../fakes/fake-verigo.ts';
import { runVerigo, type VerigoRun, type VerigoSurroundings } from '../../fakes/run-verigo.ts';

let fake: FakeVerigo;
let cwd: string;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'verigo-cli-'));
});
afterAll(() => {
  rmSync(cwd, { recursive: true });
});
beforeEach(async () => {
  fake = await startFakeVerigo();
});
afterEach(async () => {
  await fake.stop();
});

async function run(args: readonly string[], around: VerigoSurroundings = {}): Promise<VerigoRun> {
  return await runVerigo([...args, '--server', fake.url], { cwd, ...around });
}

describe('token verify', () => {
  const jwks = (): string => JSON.stringify(fake.jwks);

  it.each([
    ['the server', () => []],
    ['a file', () => ['--jwks', 'jwks.json']],
    ['a URL', () => ['--jwks', `${fake.url}/.well-known/jwks.json`]],
  ])('believes the keys of %s', async (_what, args) => {
    writeFileSync(join(cwd, 'jwks.json'), jwks());
    const { code, stdout } = await run(['token', 'verify', '-', ...args()], { stdin: await fake.mint(null) });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^issuer +CoCo-Attestation-Service$/m);
  });

  it('prints the claims for machines', async () => {
    const { stdout } = await run(['token', 'verify', '-', '--json'], { stdin: await fake.mint(null) });
    expect(JSON.parse(stdout)).toMatchObject({
      iss: 'CoCo-Attestation-Service',
      exp: FAKE_NOW.getTime() / 1000 + 300,
    });
  });

  it('tries every key where the token names none', async () => {
    const other = await startFakeVerigo();
    await other.stop();
    writeFileSync(join(cwd, 'two.json'), JSON.stringify({ keys: [...other.jwks.keys, ...fake.jwks.keys] }));
    const { code } = await run(['token', 'verify', '-', '--jwks', 'two.json'], {
      stdin: await fake.mint(null, {}, {}),
    });
    expect(code).toBe(0);
  });

  it.each([
    ['an expired token', async () => await fake.mint(null, { exp: 1 })],
    ['a token without expiry', async () => await fake.mint(null, { exp: undefined })],
    ['a token for later', async () => await fake.mint(null, { nbf: 4_000_000_000 })],
    ['other bytes under the signature', async () => (await fake.mint(null)).replace('.', '.e')],
    [
      'an unsigned token',
      async () =>
        (await fake.mint(null)).replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString('base64url')),
    ],
    [
      'a symmetric signature',
      async () =>
        (await fake.mint(null)).replace(/^[^.]+/, Buffer.from('{"alg":"HS256"}').toString('base64url')),
    ],
    ['something else', async () => 'hello'],
    [
      'another maker’s token',
      async () => {
        const other = await startFakeVerigo();
        await other.stop();
        return await other.mint(null);
      },
    ],
  ])('refuses %s', async (_what, make) => {
    const { code, stdout, stderr } = await run(['token', 'verify', '-'], { stdin: await make() });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('error TOKEN_NOT_VALID');
  });

  it('refuses a file that is no key set', async () => {
    writeFileSync(join(cwd, 'empty.json'), '{"keys":[]}');
    const { code, stderr } = await run(['token', 'verify', '-', '--jwks', 'empty.json'], { stdin: 'x' });
    expect(code).toBe(2);
    expect(stderr).toContain('error INPUT_INVALID');
  });
});
