import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { DECISION_ID, type FakeVerigo, kbsError, problem, startFakeVerigo } from '../../fakes/fake-verigo.ts';
import { runVerigo } from '../../fakes/run-verigo.ts';

let fake: FakeVerigo;

beforeAll(async () => {
  fake = await startFakeVerigo();
});
afterAll(async () => {
  await fake.stop();
});

/** Every command that does something, as a list of words. */
const COMMANDS = [
  'serve',
  'config check',
  'config show',
  'attest',
  'token verify',
  'resource get',
  'resource put',
  'resource delete',
  'policy set',
  'policy get',
  'policy list',
  'policy test',
  'reference-value set',
  'reference-value get',
  'reference-value list',
  'reference-value delete',
  'evidence inspect',
  'collateral import',
  'collateral export',
  'collateral list',
  'decision list',
  'decision show',
  'admin token',
];

describe('help', () => {
  it.each(COMMANDS)('%s shows examples and the global options', async (command) => {
    const { code, stdout } = await runVerigo([...command.split(' '), '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`$ verigo ${command}`.replace('$ verigo serve', 'verigo serve'));
    expect(stdout).toContain('Examples:');
    expect(stdout).toContain('--server <url>');
  });

  it('documents the exit codes', async () => {
    const { code, stdout } = await runVerigo(['--help']);
    expect(code).toBe(0);
    for (const line of [
      '0  done',
      '1  the server refused',
      '2  wrong usage',
      '3  could not',
      '4  not found',
    ]) {
      expect(stdout).toContain(line);
    }
  });

  it('shows the version', async () => {
    expect(await runVerigo(['--version'])).toMatchObject({ code: 0, stdout: '1.2.3\n' });
  });
});

describe('usage', () => {
  it.each([
    ['nothing', []],
    ['an unknown command', ['destroy']],
    ['an unknown option', ['policy', 'list', '--force']],
    ['a missing argument', ['policy', 'set', 'default_cpu']],
    ['a word that is not one of the list', ['policy', 'get', 'x', '--kind', 'other']],
    ['a limit that is not a number', ['decision', 'list', '--limit', 'all']],
    ['a server that is no URL', ['policy', 'list', '--server', 'localhost:8080']],
    ['a server with a path', ['policy', 'list', '--server', 'http://localhost:8080/verigo']],
    ['a server with a password', ['policy', 'list', '--server', 'http://u:p@localhost:8080']],
  ])('refuses %s with 2', async (_what, args) => {
    const { code, stdout, stderr } = await runVerigo(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });

  it('asks for --server where the configuration leaves the port open', async () => {
    const run = await runVerigo(['policy', 'list'], { env: { VERIGO_HTTP__PORT: '0' } });
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('http.port is 0') as string });
  });
});

describe('what the server answers', () => {
  it.each([
    ['403', problem(403, 'ADMIN_ROLE_NOT_ALLOWED', 'no'), 1, 'error ADMIN_ROLE_NOT_ALLOWED: no\n'],
    ['404', problem(404, 'NOT_FOUND', 'none'), 4, 'error NOT_FOUND: none\n'],
    [
      '422 with a decision',
      problem(422, 'POLICY_DENIED', 'no', DECISION_ID),
      1,
      `decision: ${DECISION_ID}\nnext: verigo decision show ${DECISION_ID}`,
    ],
    ['429', problem(429, 'TOO_MANY', 'slow'), 3, 'next: try again'],
    ['503', problem(503, 'STORAGE_UNAVAILABLE', 'later'), 3, 'error STORAGE_UNAVAILABLE'],
    [
      'the key broker’s form',
      kbsError(401, 'PolicyDeny', 'RESOURCE_DENIED'),
      1,
      'error RESOURCE_DENIED: denied\ndecision: ',
    ],
    ['a proxy’s page', { status: 502, body: '<html>' }, 3, 'error HTTP_502: the server answered 502'],
    [
      'a redirect',
      { status: 302, headers: { location: 'http://evil.example/' } },
      3,
      'error SERVER_UNREACHABLE',
    ],
    ['no JSON', { body: '{' }, 3, 'error SERVER_REPLY_UNEXPECTED'],
    ['other JSON', { body: '{"items":"none"}' }, 3, 'error SERVER_REPLY_UNEXPECTED'],
    ['bytes that are no text', { body: Buffer.from([0xff]) }, 3, 'error SERVER_REPLY_UNEXPECTED'],
    ['more than is read', { body: Buffer.alloc((8 << 20) + 1) }, 3, 'error SERVER_REPLY_UNEXPECTED'],
    ['control characters', problem(422, 'X', 'a\u001b[2Jb\u009b'), 1, 'error X: a\\u001b[2Jb\\u009b\n'],
  ])('%s', async (_what, reply, code, text) => {
    fake.answer('/api/v1/policies', reply);
    const run = await runVerigo(['policy', 'list', '--server', fake.url]);
    expect(run.stderr).toContain(text);
    expect(run.code).toBe(code);
    expect(run.stdout).toBe('');
  });

  it('says that nobody listens', async () => {
    const run = await runVerigo(['policy', 'list', '--server', 'http://127.0.0.1:9']);
    expect(run.code).toBe(3);
    expect(run.stderr).toContain('error SERVER_UNREACHABLE');
    expect(run.stderr).toContain('next: start it with verigo serve');
  });
});

describe('serve', () => {
  it('hands the configuration over', async () => {
    const ports: number[] = [];
    const serve = async (config: { http: { port: number } }) => {
      ports.push(config.http.port);
    };
    const run = await runVerigo(['serve'], { env: { VERIGO_HTTP__PORT: '9090' }, services: { serve } });
    expect(run.code).toBe(0);
    expect(ports).toEqual([9090]);
  });

  it.each([['could not check', new CouldNotCheckError('STORAGE_UNAVAILABLE', 'no database'), 3]])(
    'reports what stopped it: %s',
    async (_what, error, code) => {
      const run = await runVerigo(['serve'], { services: { serve: () => Promise.reject(error) } });
      expect(run).toMatchObject({ code, stderr: 'error STORAGE_UNAVAILABLE: no database\n' });
    },
  );

  it('does not hide a defect', async () => {
    const serve = () => Promise.reject(new TypeError('defect'));
    await expect(runVerigo(['serve'], { services: { serve } })).rejects.toThrow('defect');
  });
});

describe('config', () => {
  it('check says ok, or every problem', async () => {
    expect(await runVerigo(['config', 'check'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ok: /) as string,
    });
    const env = { VERIGO_HTTP__PORT: 'x', VERIGO_LOG__LEVEL: 'loud' };
    const run = await runVerigo(['config', 'check'], { env });
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('error CONFIG_INVALID');
    expect(run.stderr).toContain('  http.port (VERIGO_HTTP__PORT): expected');
    expect(run.stderr).toContain('  log.level (VERIGO_LOG__LEVEL): expected');
  });

  it('show hides secrets in both forms', async () => {
    const env = { VERIGO_MASTER_KEY: 'hunter2', DATABASE_URL: 'postgres://u:hunter2@h/db' };
    const text = await runVerigo(['config', 'show'], { env });
    const json = await runVerigo(['config', 'show', '--json'], { env });
    expect(text.stdout).toContain('master_key = "(hidden)" # from VERIGO_MASTER_KEY');
    expect(JSON.parse(json.stdout)).toMatchObject({ http: { port: 8080 }, keys: { master_key: '(hidden)' } });
    expect(`${text.stdout}${json.stdout}`).not.toContain('hunter2');
  });
});

describe('the administrator’s token', () => {
  it.each([
    [
      '--admin-token',
      ['--admin-token', 'from-option'],
      { VERIGO_ADMIN_TOKEN: 'from-env' },
      'Bearer from-option',
    ],
    ['VERIGO_ADMIN_TOKEN', [], { VERIGO_ADMIN_TOKEN: 'from-env' }, 'Bearer from-env'],
    ['the key in data_dir', [], {}, 'Bearer the-administrator'],
  ])('comes from %s', async (_what, args, env, authorization) => {
    fake.answer('/api/v1/policies', { body: '{"items":[]}' });
    await runVerigo(['policy', 'list', ...args], { env: { VERIGO_SERVER: fake.url, ...env } });
    expect(fake.seen.at(-1)?.headers['authorization']).toBe(authorization);
  });

  it('warns before it crosses a network unencrypted', async () => {
    const run = await runVerigo(['policy', 'list', '--server', 'http://verigo.invalid:1']);
    expect(run.stderr).toContain('warning: ');
    expect(run.code).toBe(3);
  });

  it('is made for whoever asks, with a role and a lifetime', async () => {
    const requests: unknown[] = [];
    const mintAdminToken = async (keyFile: string, request: unknown) => {
      requests.push([keyFile, request]);
      return 'minted';
    };
    const args = ['admin', 'token', '--role', 'author', '--lifetime', '30m'];
    const run = await runVerigo(args, { cwd: '/srv', services: { mintAdminToken } });
    expect(run).toMatchObject({ code: 0, stdout: 'minted\n' });
    expect(requests).toMatchObject([['/srv/.verigo/admin.key', { role: 'author', lifetimeSeconds: 1800 }]]);
  });

  it.each([['0s'], ['30'], ['1w'], ['-1h']])('refuses the lifetime %s', async (lifetime) => {
    const run = await runVerigo(['admin', 'token', `--lifetime=${lifetime}`]);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('error USAGE') as string });
  });

  it('says what to do where there is no key', async () => {
    const mintAdminToken = () => Promise.reject(new Error('ENOENT'));
    for (const args of [
      ['admin', 'token'],
      ['policy', 'list', '--server', fake.url],
    ]) {
      const run = await runVerigo(args, { services: { mintAdminToken } });
      expect(run.code).toBe(2);
      expect(run.stderr).toContain('error ADMIN_KEY_UNAVAILABLE');
      expect(run.stderr).toContain('next: run this where the server runs');
    }
  });
});
