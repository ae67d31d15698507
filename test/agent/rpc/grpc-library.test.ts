import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const RPC = join(import.meta.dirname, '../../../agent/rpc');

/** How many modules of the gRPC library a fresh process has loaded after the given statements. */
async function modulesLoadedBy(statements: string): Promise<number> {
  const program = `${statements};
    import { createRequire } from 'node:module';
    const { cache } = createRequire('/');
    console.log(Object.keys(cache).filter((name) => name.includes('@grpc')).length);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  return Number(stdout);
}

it('is not loaded by the modules that use it', async () => {
  const files = [
    'grpc-server.ts',
    'grpc-transport.ts',
    'grpc-library.ts',
    'ttrpc/ttrpc-server.ts',
    'ttrpc/ttrpc-transport.ts',
  ];

  expect(await modulesLoadedBy(files.map((file) => `import '${join(RPC, file)}'`).join(';'))).toBe(0);
});

it('is loaded when it is asked for', async () => {
  const file = join(RPC, 'grpc-library.ts');

  expect(await modulesLoadedBy(`import { loadGrpc } from '${file}'; await loadGrpc()`)).toBeGreaterThan(10);
});
