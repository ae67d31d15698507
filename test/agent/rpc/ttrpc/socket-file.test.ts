import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UnixAddress } from '../../../../agent/rpc/address.ts';
import { startTtrpcServer, type TtrpcServer } from '../../../../agent/rpc/ttrpc/ttrpc-server.ts';
import { socketFolder } from '../../../harness/resource-service.ts';

let address: UnixAddress;
let remove: () => Promise<void>;
const servers: TtrpcServer[] = [];

beforeEach(async () => {
  ({ address, remove } = await socketFolder());
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
  await remove();
});

async function start(socketMode?: number): Promise<TtrpcServer> {
  const server = await startTtrpcServer({
    address,
    services: [],
    log: () => undefined,
    ...(socketMode !== undefined && { socketMode }),
  });
  servers.push(server);
  return server;
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

/** A socket that a process has left behind: nobody listens on it any more. */
async function leaveSocketBehind(): Promise<void> {
  await mkdir(dirname(address.path), { recursive: true });
  const program = `require('node:net').createServer().listen(${JSON.stringify(address.path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', program]), 'close');
  expect((await stat(address.path)).isSocket()).toBe(true);
}

describe('the place of a socket', () => {
  it('is made, open to its owner only (C23)', async () => {
    const mask = process.umask(0o000);
    try {
      await start();
    } finally {
      process.umask(mask);
    }

    expect(await modeOf(address.path)).toBe('600');
    expect(await modeOf(dirname(address.path))).toBe('700');
  });

  it('has the mode that was asked for, whatever the mask, and the mask stays', async () => {
    const mask = process.umask(0o077);
    try {
      await start(0o666);
    } finally {
      expect(process.umask(mask)).toBe(0o077);
    }

    expect(await modeOf(address.path)).toBe('666');
  });

  it('leaves a directory as it is', async () => {
    await mkdir(dirname(address.path), { mode: 0o755 });

    await start();

    expect(await modeOf(dirname(address.path))).toBe('755');
  });

  it('is taken from a server that is gone', async () => {
    await leaveSocketBehind();

    await start();

    await once(connect({ path: address.path }), 'connect');
  });

  it('is not taken from one that listens', async () => {
    await mkdir(dirname(address.path), { recursive: true });
    const other = createServer().listen(address.path);
    await once(other, 'listening');

    await expect(start()).rejects.toMatchObject({ code: 'SOCKET_IN_USE' });

    await once(connect({ path: address.path }), 'connect');
    other.close();
  });

  it('is not taken from another file', async () => {
    await mkdir(dirname(address.path), { recursive: true });
    await writeFile(address.path, 'precious');

    await expect(start()).rejects.toMatchObject({ code: 'SOCKET_NOT_A_SOCKET' });

    expect(await readFile(address.path, 'utf8')).toBe('precious');
  });

  it('is not taken from a link, wherever it leads', async () => {
    await leaveSocketBehind();
    const target = address.path;
    address = { path: `${target}.link`, isAbstract: false };
    await symlink(target, address.path);

    await expect(start()).rejects.toMatchObject({ code: 'SOCKET_NOT_A_SOCKET' });

    expect((await stat(target)).isSocket()).toBe(true);
  });
});
