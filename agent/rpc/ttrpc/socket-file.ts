import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { CodedError } from '../../../server/errors/coded-error.ts';

/** The place where a server was to listen is not free. */
export class SocketError extends CodedError<'SOCKET_IN_USE' | 'SOCKET_NOT_A_SOCKET'> {}

const PRIVATE_DIRECTORY = 0o700;
const ALL_BITS = 0o777;

/**
 * Makes the place for a socket: creates its directory, open to nobody else, and removes what a server that is gone has
 * left there. Throws SocketError SOCKET_NOT_A_SOCKET where something else lies there, SOCKET_IN_USE where somebody
 * listens.
 */
export async function prepareSocketFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: PRIVATE_DIRECTORY });
  const found = await lstat(path).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new SocketError(
      'SOCKET_NOT_A_SOCKET',
      'expected a socket or nothing at its path, got another file',
    );
  }
  if (await isSomebodyListening(path)) {
    throw new SocketError('SOCKET_IN_USE', 'expected nobody to listen at this path, got a server');
  }
  await unlink(path);
}

/**
 * Listens at a path that only `mode` opens. The mask of the process holds while the file comes into being, so that there
 * is no moment at which it is open to more; `listen` binds before it returns.
 */
export async function listenAt(server: Server, path: string, mode: number): Promise<void> {
  const listening = listen(server, path, mode);
  await listening;
  await chmod(path, mode); // bind(2) takes bits away but gives none
}

/** In Linux' abstract namespace there is neither a directory nor a mode. */
export async function listenAbstract(server: Server, path: string): Promise<void> {
  await listen(server, path, ALL_BITS);
}

async function listen(server: Server, path: string, mode: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        hasErrno(error, 'EADDRINUSE')
          ? new SocketError('SOCKET_IN_USE', 'expected nobody to listen at this path, got a server')
          : error,
      );
    });
    const mask = process.umask(ALL_BITS & ~mode);
    try {
      server.listen({ path }, resolve);
    } finally {
      process.umask(mask);
    }
  });
}

async function isSomebodyListening(path: string): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // ECONNREFUSED is the one answer by which the kernel says that nobody does. Whatever else hinders us may be ours.
    socket.once('error', (error) => {
      resolve(!hasErrno(error, 'ECONNREFUSED'));
    });
  });
}

function hasErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
