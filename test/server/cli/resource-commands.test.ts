import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DECISION_ID, type FakeVerigo, kbsError, startFakeVerigo } from '../../fakes/fake-verigo.ts';
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

describe('resource', () => {
  const SECRET = Buffer.from([0, 1, 2, 255, 10]);
  const PATH = 'default/keys/disk';

  it('is stored, opened with the token’s key, and deleted', async () => {
    expect(await run(['resource', 'put', PATH, '-'], { stdin: SECRET })).toMatchObject({ code: 0 });
    expect(fake.seen.at(-1)).toMatchObject({
      method: 'POST',
      path: `/kbs/v0/resource/${PATH}`,
      body: SECRET,
    });
    await run(['attest', '--sample', '--key-out', 'tee.key', '--out', 'token']);
    const got = await run(['resource', 'get', `kbs:///${PATH}`, '--token', 'token', '--key', 'tee.key']);
    expect(got).toMatchObject({ code: 0, bytes: SECRET, stderr: '' });
    expect(await run(['resource', 'delete', PATH])).toMatchObject({ code: 0 });
    expect(await run(['resource', 'get', PATH, '--sample'])).toMatchObject({ code: 4, stdout: '' });
  });

  it('is opened with a key in PEM', async () => {
    fake.resources.set(`/kbs/v0/resource/${PATH}`, SECRET);
    await run(['attest', '--sample', '--key-out', 'jwk', '--out', 'token']);
    const jwk = JSON.parse(readFileSync(join(cwd, 'jwk'), 'utf8')) as JsonWebKey;
    const pem = createPrivateKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'pkcs8' });
    writeFileSync(join(cwd, 'pem'), pem);
    const got = await run(['resource', 'get', PATH, '--token', 'token', '--key', 'pem']);
    expect(got).toMatchObject({ code: 0, bytes: SECRET });
  });

  it('is opened in a session of the key broker', async () => {
    fake.resources.set(`/kbs/v0/resource/${PATH}`, SECRET);
    const { code, stdout } = await run(['resource', 'get', PATH, '--sample', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ resource: PATH, content: SECRET.toString('base64') });
    expect(fake.seen.map(({ path }) => path)).toEqual([
      '/kbs/v0/auth',
      '/kbs/v0/attest',
      `/kbs/v0/resource/${PATH}`,
    ]);
    expect(fake.seen[0]?.body.toString()).toBe('{"version":"0.4.0","tee":"sample","extra-params":""}');
  });

  it('stays shut for another key', async () => {
    fake.resources.set(`/kbs/v0/resource/${PATH}`, SECRET);
    await run(['attest', '--sample', '--key-out', 'one', '--out', 't1']);
    await run(['attest', '--sample', '--key-out', 'two', '--out', 't2']);
    const { code, stdout, stderr } = await run(['resource', 'get', PATH, '--token', 't1', '--key', 'two']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('error RESOURCE_NOT_OPENED');
  });

  it('is not opened by a key that the reply asks to derive in another way', async () => {
    fake.answer('/kbs/v0/resource/', { body: JSON.stringify(jweWith({ alg: 'dir', enc: 'A256GCM' })) });
    const { code, stderr } = await run(['resource', 'get', PATH, '--sample']);
    expect(code).toBe(1);
    expect(stderr).toContain('error RESOURCE_NOT_OPENED');
  });

  it('names the decision of a denial', async () => {
    fake.answer('/kbs/v0/resource/', kbsError(401, 'PolicyDeny', 'RESOURCE_DENIED'));
    const { code, stderr } = await run(['resource', 'get', PATH, '--sample']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error RESOURCE_DENIED: denied\ndecision: ${DECISION_ID}\nnext: verigo decision show ${DECISION_ID} tells why\n`,
    );
  });

  it('needs a session that the server has opened', async () => {
    fake.answer('/kbs/v0/auth', { body: '{"nonce":"n","extra-params":""}' });
    expect(await run(['resource', 'get', PATH, '--sample'])).toMatchObject({ code: 3 });
  });

  it.each([
    ['two segments', ['resource', 'get', 'a/b', '--sample']],
    ['a way out of the tree', ['resource', 'get', '../../admin', '--sample']],
    ['an empty segment', ['resource', 'delete', 'a//b']],
    ['a token without a key', ['resource', 'get', PATH, '--token', 't']],
    ['both ways at once', ['resource', 'get', PATH, '--sample', '--token', 't']],
  ])('refuses %s before anything is sent', async (_what, args) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toContain('error USAGE');
    expect(fake.seen).toEqual([]);
  });

  it('refuses a file that is no key, without repeating it', async () => {
    writeFileSync(join(cwd, 'nokey'), '{"kty":"EC","d":"hunter2"}');
    writeFileSync(join(cwd, 't'), await fake.mint(null));
    const { code, stderr } = await run(['resource', 'get', PATH, '--token', 't', '--key', 'nokey']);
    expect(code).toBe(2);
    expect(stderr).toContain('error INPUT_INVALID');
    expect(stderr).not.toContain('hunter2');
  });

  it('keeps the key as a private JWK', async () => {
    await run(['attest', '--sample', '--key-out', 'jwk']);
    const jwk = JSON.parse(readFileSync(join(cwd, 'jwk'), 'utf8')) as Record<string, unknown>;
    expect(Object.keys(jwk).toSorted()).toEqual(['alg', 'crv', 'd', 'kty', 'x', 'y']);
  });
});

function jweWith(header: unknown): unknown {
  const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');
  return {
    protected: protectedHeader,
    encrypted_key: '',
    iv: 'AAAAAAAAAAAAAAAA',
    ciphertext: '',
    tag: 'AAAAAAAAAAAAAAAAAAAAAA',
  };
}
