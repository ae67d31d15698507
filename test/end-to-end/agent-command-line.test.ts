import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFakeAuthority } from '../fakes/fake-tls.ts';
import { createAdministrator } from '../harness/administrator.ts';
import { type AgentFolder, agentFolder, runAgent, serveAgent } from '../harness/agent-process.ts';
import { resourcePolicy } from '../harness/rego.ts';
import type { CommandRun } from '../harness/run-command.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const RESOURCE = 'default/disk/passphrase';
const SECRET = 'a passphrase';
const UNREACHABLE = 'http://127.0.0.1:9';

let verigo: RunningVerigo;
let place: AgentFolder;

beforeAll(async () => {
  verigo = await startVerigo();
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.putResource(RESOURCE, SECRET);
  await administrator.postResourcePolicy(resourcePolicy(true));
  place = agentFolder(verigo.url);
});
afterAll(async () => {
  place.remove();
  await verigo.close();
});

async function run(...args: readonly string[]): Promise<CommandRun> {
  return await runAgent(place.folder, args);
}

async function configured(...args: readonly string[]): Promise<CommandRun> {
  return await run(...args, '-c', 'aa.toml');
}

describe.each(['in this process', 'of a running agent'])('commands %s', (where) => {
  async function withAgent(work: (...flags: readonly string[]) => Promise<void>): Promise<void> {
    if (where === 'in this process') {
      await work();
      return;
    }
    await using agent = await serveAgent(place.folder, ['-c', 'aa.toml', '-a', place.socket]);
    await work('--socket', place.socket);
    expect(await agent.stop()).toBe(0);
  }

  test('detect, evidence, token and resource', async () => {
    await withAgent(async (...flags) => {
      const detected = await configured('detect', '--json', ...flags);
      expect(detected.json()).toMatchObject({ tee: 'sample', devices: [] });

      const evidence = await configured('evidence', '--runtime-data', 'YWJj', ...flags);
      expect(evidence.json()).toEqual({ svn: '1', report_data: 'YWJj' });
      expect((await configured('evidence', '--additional', ...flags)).stdout).toBe('{}\n');

      const bare = await configured('token', 'coco_as', ...flags);
      expect(decodeJwt(bare.stdout.trim())).toHaveProperty('submods');
      const bound = await configured('token', 'kbs', '--json', ...flags);
      expect(bound.json()).toEqual({
        token: expect.any(String) as string,
        tee_keypair: expect.any(String) as string,
      });

      const resource = await configured('resource', `kbs:///${RESOURCE}`, ...flags);
      expect(resource).toMatchObject({ code: 0, stdout: SECRET });
      const json = await configured('resource', RESOURCE, '--json', ...flags);
      expect(json.json()).toEqual({ uri: RESOURCE, content: Buffer.from(SECRET).toString('base64') });
    });
  });

  test('what is secret goes into a file for its owner alone', async () => {
    await withAgent(async (...flags) => {
      const run = await configured('token', 'coco_as_bound', '--out', 'token.json', ...flags);
      expect(run.stdout).toBe('wrote token.json\n');
      const file = join(place.folder, 'token.json');
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(JSON.parse(await readFile(file, 'utf8'))).toHaveProperty('tee_keypair');
    });
  });

  test('exit codes tell refused, wrong, away and absent', async () => {
    await withAgent(async (...flags) => {
      const absent = await configured('resource', 'default/disk/none', ...flags);
      expect(absent).toMatchObject({ code: 4 });
      expect(absent.stderr).toContain('error RESOURCE_NOT_FOUND: ');
      const wrong = await configured('token', 'other', ...flags);
      expect(wrong).toMatchObject({ code: 2 });
      expect(wrong.stderr).toContain('error TOKEN_TYPE_UNKNOWN: ');
      const nowhere = await configured('token', 'coco_as:none', ...flags);
      expect(nowhere).toMatchObject({ code: 2 });
      expect(nowhere.stderr).toContain('error TOKEN_SOURCE_NOT_CONFIGURED: ');
    });
  });
});

test('a token in a file opens a resource (a passport that somebody else got)', async () => {
  await configured('token', 'coco_as_bound', '--out', 'passport.json');
  await writeFile(
    join(place.folder, 'file.toml'),
    `[attester]\ndangerously_use_sample_attester = true\n[token_configs.kbs]\nurl = "${verigo.url}"\ntoken_file = "${place.folder}/passport.json"\n`,
  );
  expect(await run('resource', RESOURCE, '-c', 'file.toml')).toMatchObject({
    code: 0,
    stdout: SECRET,
  });
});

test('the kernel or the environment names the key broker, where there is no file', async () => {
  const environment = { AA_KBC_PARAMS: `cc_kbc::${UNREACHABLE}` };
  const { code, stderr } = await runAgent(place.folder, ['resource', 'a/b/c'], environment);
  expect(code).toBe(4); // no TEE here, and no sample unless configured (A14)
  expect(stderr).toContain('error TEE_NOT_FOUND: ');
});

test('a server that is away: 3, with the reason behind the deadline', async () => {
  const away = agentFolder(UNREACHABLE);
  try {
    const { code, stderr } = await runAgent(away.folder, [
      'token',
      'coco_as',
      '-c',
      'aa.toml',
      '--timeout',
      '1',
    ]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^error (?:DEADLINE_EXCEEDED|SERVER_UNREACHABLE): /m);
    expect(stderr).toContain('SERVER_UNREACHABLE');
  } finally {
    away.remove();
  }
});

test('--kbs-root-ca and --pin say which key broker it is', async () => {
  const authority = await createFakeAuthority();
  const { certificate, privateKey, pin } = await authority.issue();
  const server = createServer({ cert: certificate, key: privateKey }, (_request, response) => {
    response.writeHead(401).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const secure = agentFolder(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await writeFile(join(secure.folder, 'root.pem'), authority.pem);
  const errorOf = async (...flags: readonly string[]): Promise<string | undefined> => {
    const { code, stderr } = await runAgent(secure.folder, ['token', 'kbs', '-c', 'aa.toml', ...flags]);
    expect(code).toBe(1);
    return /^error (\S+):/m.exec(stderr)?.[1];
  };
  try {
    expect(await errorOf()).toBe('CERTIFICATE_UNTRUSTED');
    expect(await errorOf('--kbs-root-ca', 'root.pem')).toBe('ATTESTATION_REFUSED');
    expect(await errorOf('--kbs-root-ca', 'root.pem', '--pin', pin)).toBe('ATTESTATION_REFUSED');
    const other = `sha256/${'A'.repeat(43)}=`;
    expect(await errorOf('--kbs-root-ca', 'root.pem', '--pin', other)).toBe('PIN_MISMATCH');
  } finally {
    server.close();
    secure.remove();
  }
});

describe.each(['kbs', 'coco_as'])('a further key broker, with tokens of %s', (source) => {
  test.each([
    [`kbs://second.example:8443/${RESOURCE}`, 0, SECRET, /^/],
    [`kbs+plugin://second.example:8443/a`, 2, '', /error PLUGIN_NOT_ALLOWED: /],
    [`kbs://third.example/${RESOURCE}`, 2, '', /error RESOURCE_SERVER_UNKNOWN: /],
  ])('%s: %d', async (uri, code, stdout, stderr) => {
    const server = {
      host: 'Second.example:8443',
      url: verigo.url,
      token_source: source,
      plugins: ['resource'],
    };
    const two = agentFolder(UNREACHABLE, {
      token_configs: { coco_as: { url: verigo.url }, kbs: { url: UNREACHABLE } },
      resource_servers: [server],
    });
    try {
      const run = await runAgent(two.folder, ['resource', uri, '-c', 'aa.toml']);
      expect(run.stderr).toMatch(stderr);
      expect(run).toMatchObject({ code, stdout });
    } finally {
      two.remove();
    }
  });
});

test('--as chooses the service that coco_as means', async () => {
  const named = agentFolder(verigo.url, {
    token_configs: { coco_as: { url: UNREACHABLE, here: { url: verigo.url } } },
  });
  try {
    const { code, stdout } = await runAgent(named.folder, [
      'token',
      'coco_as',
      '-c',
      'aa.toml',
      '--as',
      'here',
    ]);
    expect(code).toBe(0);
    expect(decodeJwt(stdout.trim())).toHaveProperty('submods');
  } finally {
    named.remove();
  }
});

test.each([
  ['an unknown command', ['tokn'], /unknown command 'tokn'/],
  ['an unknown flag', ['token', '--configfile', 'a'], /unknown option/],
  [
    'a configuration with a mistake',
    ['token', '-c', 'wrong.toml'],
    /log\.levle: expected a known key.*did you mean level\?/,
  ],
  ['a configuration that is not there', ['token', '-c', 'none.toml'], /error CONFIG_FILE_UNREADABLE: /],
  ['a URI that is none', ['resource', 'file:///etc/passwd', '-c', 'aa.toml'], /error RESOURCE_URI_SCHEME: /],
  [
    'bytes that are not base64',
    ['evidence', '-r', '!', '-c', 'aa.toml'],
    /expected --runtime-data in base64/,
  ],
  [
    'two origins of bytes',
    ['evidence', '-r', 'YQ==', '--runtime-data-file', 'a', '-c', 'aa.toml'],
    /got several/,
  ],
  ['a timeout that is none', ['token', '--timeout', 'soon'], /expected --timeout as seconds/],
  [
    'a service that is not configured',
    ['token', 'coco_as', '--as', 'gpu', '-c', 'aa.toml'],
    /token_configs\.attestation_service: /,
  ],
  [
    'a pin on plain http',
    ['token', '--pin', `sha256/${'A'.repeat(43)}=`, '-c', 'aa.toml'],
    /expected an https URL beside a CA or pins/,
  ],
  [
    'a root CA that is not there',
    ['token', '--kbs-root-ca', 'none.pem', '-c', 'aa.toml'],
    /error INPUT_UNREADABLE: /,
  ],
  [
    'a role that does not exist',
    ['serve', '--roles', 'aa,xyz', '-c', 'aa.toml'],
    /expected --roles of aa.*got 'xyz'/,
  ],
  ['an address of no kind', ['serve', '-a', 'unix:a', '-c', 'aa.toml'], /sockets\.listen\[0\]: /],
])('%s: 2', async (_what, args, message) => {
  await writeFile(join(place.folder, 'wrong.toml'), '[log]\nlevle = "info"\n');
  const { code, stderr } = await run(...args);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
});

test('no agent at the socket: 3', async () => {
  const { code, stderr } = await run('token', 'kbs', '--socket', `unix://${place.folder}/none.sock`);
  expect(code).toBe(3);
  expect(stderr).toContain('error UNAVAILABLE: ');
});

test('detect where there is no TEE says what it looked for: 4', async () => {
  const { code, stderr, json } = await run('detect', '--json');
  expect(code).toBe(4);
  expect(stderr).toContain('error TEE_NOT_FOUND: ');
  expect(json()).toMatchObject({ tee: null, findings: expect.arrayContaining([]) as unknown[] });
});

test('--help shows examples and exit codes', async () => {
  expect((await run('--help')).stdout).toMatch(/Exit codes:[^]*Examples:/);
  for (const command of ['serve', 'detect', 'evidence', 'token', 'resource']) {
    expect((await run(command, '--help')).stdout).toContain(`$ verigo-agent ${command}`);
  }
});
