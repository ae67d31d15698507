import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pinnedVersion } from '../../../server/policy/build-opa.ts';
import { createOpaFinder } from '../../../server/policy/find-opa.ts';
import { refusalOf } from './refusal.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-test-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function program(path: string, script: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const saysVersion = (version: string): string => `echo "Version: ${version}"`;

/** A `go` that "builds" what it is told to, and says with what. */
const GO = `
echo "go: downloading something" >&2
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho "Version: 1.22.2"\\n' > "$2"
/bin/chmod 755 "$2"
/usr/bin/env > "$2.environment"
`;

function finder(environment: Readonly<Record<string, string>>, configuredPath?: string) {
  const lines: string[] = [];
  const find = createOpaFinder({
    configuredPath,
    environment: { PATH: join(folder, 'bin'), HOME: join(folder, 'home'), ...environment },
    onProgress: (line) => lines.push(line),
  });
  return { find, lines };
}

describe('finding OPA', () => {
  it('takes the configured one, and no other in its place', async () => {
    const path = await program(join(folder, 'mine'), saysVersion('1.5.0'));
    await program(join(folder, 'bin', 'opa'), saysVersion('1.9.0'));
    expect(await finder({}, path).find()).toMatchObject({ path, version: '1.5.0' });
    const refusal = await refusalOf(finder({}, join(folder, 'nothing')).find());
    expect(refusal.code).toBe('POLICY_COMPILER_UNAVAILABLE');
  });

  it('takes the one on the PATH when it is of version 1', async () => {
    const path = await program(join(folder, 'bin', 'opa'), saysVersion('1.9.0'));
    expect(await finder({}).find()).toMatchObject({ path, version: '1.9.0' });
    await program(path, saysVersion('0.70.0'));
    expect((await refusalOf(finder({}).find())).code).toBe('POLICY_COMPILER_UNAVAILABLE');
  });

  it('takes the one that was built before', async () => {
    const name = `opa-${await pinnedVersion()}`;
    const path = await program(join(folder, 'home', '.cache', 'verigo', name, 'opa'), saysVersion('1.22.2'));
    expect(await finder({}).find()).toMatchObject({ path });
    const other = await program(join(folder, 'cache', 'verigo', name, 'opa'), saysVersion('1.22.2'));
    expect(await finder({ XDG_CACHE_HOME: join(folder, 'cache') }).find()).toMatchObject({ path: other });
  });

  it('builds one with Go, once, and says so', async () => {
    await program(join(folder, 'bin', 'go'), GO);
    const { find, lines } = finder({ SECRET: 'do-not-pass-on', GOPROXY: 'https://proxy.test' });
    const [one, other] = await Promise.all([find(), find()]);
    expect(one).toBe(other);
    expect(one.path).toContain(join(folder, 'home', '.cache', 'verigo'));
    expect(lines[0]).toContain('about a minute');
    expect(lines).toContain('go: downloading something');
    expect(lines.filter((line) => line.startsWith('building'))).toHaveLength(1);
  });

  it('gives Go nothing of the environment but what it needs', async () => {
    await program(join(folder, 'bin', 'go'), GO);
    const { path } = await finder({ SECRET: 'do-not-pass-on', GOPROXY: 'https://proxy.test' }).find();
    const files = await readdir(join(path, '..'));
    const environment = await readFile(
      join(path, '..', files.find((name) => name.endsWith('.environment'))!),
      'utf8',
    );
    expect(environment).toContain('GOPROXY=https://proxy.test');
    expect(environment).toContain('CGO_ENABLED=0');
    expect(environment).not.toContain('do-not-pass-on');
  });

  it('ends with a whole program when two processes build at once', async () => {
    await program(join(folder, 'bin', 'go'), GO);
    const [one, other] = await Promise.all([finder({}).find(), finder({}).find()]);
    expect(one.path).toBe(other.path);
    expect((await stat(one.path)).mode & 0o111).not.toBe(0);
    const left = (await readdir(join(one.path, '..'))).filter((name) => !name.endsWith('.environment'));
    expect(left).toEqual(['opa']);
  });

  it('says why a build failed, and looks again the next time', async () => {
    await program(join(folder, 'bin', 'go'), 'echo "no space left" >&2; exit 1');
    const { find } = finder({});
    const refusal = await refusalOf(find());
    expect(refusal).toMatchObject({ code: 'POLICY_COMPILER_UNAVAILABLE' });
    expect(refusal.message).toContain('no space left');
    await program(join(folder, 'bin', 'go'), GO);
    expect((await find()).version).toBe('1.22.2');
  });

  it('without OPA and Go names both ways out', async () => {
    const refusal = await refusalOf(finder({}).find());
    expect(refusal.code).toBe('POLICY_COMPILER_UNAVAILABLE');
    expect(refusal.message).toMatch(/VERIGO_OPA.*Go/);
  });

  it('without a home has nowhere to build', async () => {
    await program(join(folder, 'bin', 'go'), GO);
    expect((await refusalOf(finder({ HOME: '' }).find())).code).toBe('POLICY_COMPILER_UNAVAILABLE');
  });
});
