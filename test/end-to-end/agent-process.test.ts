import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentFolder, agentFolder, runAgent, serveAgent } from '../harness/agent-process.ts';
import type { CommandRun } from '../harness/run-command.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

let verigo: RunningVerigo;
let place: AgentFolder;

beforeAll(async () => {
  verigo = await startVerigo();
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

describe('serve', () => {
  const INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n';

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s ends it, and the socket is gone (A12)',
    async (signal) => {
      await using agent = await serveAgent(place.folder, ['-c', 'aa.toml', '-a', place.socket]);
      const socket = join(place.folder, 'run/aa.sock');
      expect((await stat(socket)).mode & 0o777).toBe(0o600);
      expect((await stat(join(place.folder, 'run'))).mode & 0o077).toBe(0);
      expect(await agent.stop(signal)).toBe(0);
      expect(existsSync(socket)).toBe(false);
    },
  );

  test('the socket has the mode of the configuration', async () => {
    const open = agentFolder(verigo.url, { sockets: { mode: '0660' } });
    try {
      await using agent = await serveAgent(open.folder, ['-c', 'aa.toml', '-a', open.socket]);
      expect(agent.pid).toBeGreaterThan(0);
      expect((await stat(join(open.folder, 'run/aa.sock'))).mode & 0o777).toBe(0o660);
    } finally {
      open.remove();
    }
  });

  test('logs JSON lines, and neither tokens nor keys', async () => {
    await using agent = await serveAgent(place.folder, ['-c', 'aa.toml', '-a', place.socket]);
    const { stdout: token } = await configured('token', 'kbs', '--socket', place.socket);
    await configured('token', 'other', '--socket', place.socket);
    await agent.stop();
    const lines = agent
      .log()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ msg }) => msg)).toEqual([
      'the sample attester is in use: its evidence proves nothing',
      'serving: attestation-agent',
      'stopping after SIGTERM',
    ]);
    expect(agent.log()).not.toContain((JSON.parse(token) as { token: string }).token.slice(0, 20));
  });

  test('init data is bound at the start; -t wins over -i', async () => {
    await writeFile(join(place.folder, 'initdata.toml'), INIT_DATA);
    await using agent = await serveAgent(place.folder, [
      ...['-c', 'aa.toml', '-a', place.socket, '-t', 'initdata.toml', '-i', 'not base64'],
    ]);
    expect(agent.log()).toContain('the init data is not proven');
  });

  test.each([
    ['a digest that is not base64', ['-i', 'not base64'], 'INIT_DATA_MALFORMED'],
    ['init data that are none', ['-t', 'aa.toml'], 'INIT_DATA_VERSION_UNSUPPORTED'],
    ['init data that are not there', ['-t', 'none.toml'], 'INPUT_UNREADABLE'],
  ])('does not start with %s', async (_what, flags, code) => {
    const run = await configured('serve', '-a', place.socket, ...flags);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(`error ${code}: `);
  });

  test('does not start beside another agent', async () => {
    await using first = await serveAgent(place.folder, ['-c', 'aa.toml', '-a', place.socket]);
    const second = await configured('serve', '-a', place.socket);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain('error SOCKET_IN_USE: ');
    expect((await run('detect', '--socket', place.socket)).code).toBe(0);
    expect(await first.stop()).toBe(0);
  });
});
