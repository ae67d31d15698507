import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type ConfigFileSystem,
  configFileSystem,
} from '../../../../../agent/attestation-agent/attesters/tsm/config-file-system.ts';
import {
  createTsmReporter,
  type TsmReport,
  type TsmRequest,
} from '../../../../../agent/attestation-agent/attesters/tsm/tsm-report.ts';
import {
  type FakeConfigfsTsm,
  type FakeTsmOptions,
  fakeConfigfsTsm,
  systemError,
} from '../../../../fakes/fake-configfs-tsm.ts';

const reportData = Uint8Array.from({ length: 64 }, (_, index) => index);
const other = new Uint8Array(64).fill(0xee);

interface Outcome {
  readonly tsm: FakeConfigfsTsm;
  readonly report: Promise<TsmReport>;
}

function reportWith(options: FakeTsmOptions, request: Partial<TsmRequest> = {}): Outcome {
  const tsm = fakeConfigfsTsm({ provider: 'tdx_guest', ...options });
  const reporter = createTsmReporter({ fileSystem: tsm.fileSystem });
  return { tsm, report: reporter.report({ provider: 'tdx_guest', reportData, ...request }) };
}

describe('createTsmReporter', () => {
  it.each(['tdx_guest', 'sev_guest', 'arm_cca_guest'] as const)('gets reports of %s', async (provider) => {
    const { report, tsm } = reportWith({ provider }, { provider });
    expect(await report).toEqual({ outblob: reportData, auxblob: undefined });
    expect(tsm.entries()).toEqual([]);
  });

  it('brings what comes beside the report', async () => {
    const auxblob = Uint8Array.of(1, 2, 3);
    const { report } = reportWith({ hasAuxblob: true, report: (outblob) => ({ outblob, auxblob }) });
    expect(await report).toEqual({ outblob: reportData, auxblob });
  });

  it.each([
    [undefined, 0],
    [0, 0],
    [2, 2],
  ])('asks for the most privileged level that it may, with a floor of %s', async (privilegeFloor, level) => {
    const seen: number[] = [];
    const { report } = reportWith({
      ...(privilegeFloor !== undefined && { privilegeFloor }),
      report: (outblob, privilegeLevel) => {
        seen.push(privilegeLevel);
        return { outblob };
      },
    });
    await report;
    expect(seen).toEqual([level]);
  });

  it('brings a report that is longer than a page', async () => {
    const outblob = new Uint8Array(32 * 1024).fill(5);
    expect((await reportWith({ report: () => ({ outblob }) }).report).outblob).toEqual(outblob);
  });

  it.each<[string, string, FakeTsmOptions, Partial<TsmRequest>]>([
    ['another provider', 'TSM_PROVIDER_MISMATCH', { provider: 'sev_guest' }, {}],
    ['a provider whose name only begins so', 'TSM_PROVIDER_MISMATCH', { provider: 'tdx_guest_2' }, {}],
    ['a kernel without a driver', 'TSM_UNAVAILABLE', { provider: undefined }, {}],
    ['report data that is too short', 'TSM_FAILED', {}, { reportData: reportData.subarray(1) }],
    ['report data that is too long', 'TSM_FAILED', {}, { reportData: new Uint8Array(65) }],
    ['an empty report', 'TSM_FAILED', { report: () => ({ outblob: new Uint8Array() }) }, {}],
    [
      'a report beyond what the kernel has room for',
      'TSM_FAILED',
      { report: () => ({ outblob: new Uint8Array(32 * 1024 + 1) }) },
      {},
    ],
    ['a level that is none', 'TSM_FAILED', { privilegeFloor: 4 }, {}],
    [
      'a driver that fails',
      'TSM_FAILED',
      {
        report: () => {
          throw systemError('EIO');
        },
      },
      {},
    ],
  ])('refuses %s, and leaves no entry behind', async (_what, code, options, request) => {
    const { report, tsm } = reportWith(options, request);
    await expect(report).rejects.toMatchObject({ code });
    expect(tsm.entries()).toEqual([]);
    expect(tsm.made()).toBeLessThanOrEqual(1);
  });

  it.each(['EBUSY', 'EAGAIN', 'EINTR', 'ETIMEDOUT'])('tries again after %s, in a new entry', async (code) => {
    let calls = 0;
    const { report, tsm } = reportWith({
      report: (outblob) => {
        if (++calls < 3) throw systemError(code);
        return { outblob };
      },
    });
    expect((await report).outblob).toEqual(reportData);
    expect(tsm.made()).toBe(3);
    expect(tsm.entries()).toEqual([]);
  });

  it('gives up in the end', async () => {
    const { report, tsm } = reportWith({
      report: () => {
        throw systemError('EBUSY');
      },
    });
    await expect(report).rejects.toMatchObject({ code: 'TSM_FAILED' });
    expect(tsm.made()).toBe(5);
  });

  describe('sees by the generation that somebody else writes into its entry', () => {
    it.each(['mkdir', 'write inblob', 'read outblob'])('after %s, and tries again', async (when) => {
      let isContested = true;
      const { report, tsm } = reportWith({
        meanwhile: (operation, entry) => {
          if (operation === when && isContested) {
            isContested = false;
            entry.write('inblob', other);
          }
        },
      });
      expect((await report).outblob).toEqual(reportData);
      expect(tsm.made()).toBe(2);
    });

    it('and never takes their report', async () => {
      const { report, tsm } = reportWith({
        meanwhile: (operation, entry) => {
          if (operation === 'write inblob') entry.write('inblob', other);
        },
      });
      await expect(report).rejects.toMatchObject({ code: 'TSM_CONTESTED' });
      expect(tsm.entries()).toEqual([]);
    });

    it('counts its own writes', async () => {
      const { report } = reportWith({
        privilegeFloor: 1,
        meanwhile: (operation, entry) => {
          if (operation === 'write privlevel') entry.write('privlevel', Buffer.from('3'));
        },
      });
      await expect(report).rejects.toMatchObject({ code: 'TSM_CONTESTED' });
    });
  });

  it('says that an entry cannot be removed', async () => {
    const tsm = fakeConfigfsTsm({ provider: 'tdx_guest' });
    const fileSystem: ConfigFileSystem = {
      ...tsm.fileSystem,
      rmdir: async () => {
        await Promise.reject(systemError('EPERM'));
      },
    };
    const report = createTsmReporter({ fileSystem }).report({ provider: 'tdx_guest', reportData });
    await expect(report).rejects.toMatchObject({ code: 'TSM_FAILED' });
  });

  it('throws on what is not of the system', async () => {
    const { report } = reportWith({
      report: () => {
        throw new TypeError('a defect');
      },
    });
    await expect(report).rejects.toThrow(TypeError);
  });

  it('names the provider, or none', async () => {
    const providerOf = async (options: FakeTsmOptions): Promise<string | undefined> =>
      await createTsmReporter({ fileSystem: fakeConfigfsTsm(options).fileSystem }).provider();
    expect(await providerOf({ provider: 'arm_cca_guest' })).toBe('arm_cca_guest');
    expect(await providerOf({})).toBeUndefined();
    const nowhere = createTsmReporter({ folder: '/nowhere/tsm', fileSystem: fakeConfigfsTsm().fileSystem });
    expect(await nowhere.provider()).toBeUndefined();
  });
});

describe('with a real folder', () => {
  it('makes its entry below the folder, reads what is there, and creates no attribute', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'verigo-tsm-'));
    try {
      const seen: string[] = [];
      const fileSystem: ConfigFileSystem = {
        ...configFileSystem,
        async mkdir(path) {
          seen.push(path);
          await configFileSystem.mkdir(path);
          for (const [name, text] of [
            ['provider', 'tdx_guest\n'],
            ['inblob', ''],
            ['outblob', 'q'.repeat(20_000)],
            ['generation', '1\n'],
          ] as const)
            await writeFile(join(path, name), text);
        },
        async rmdir(path) {
          // In a real folder attributes are files, and have to be removed.
          expect((await readdir(path)).toSorted()).toEqual(['generation', 'inblob', 'outblob', 'provider']);
          expect(await configFileSystem.read(join(path, 'inblob'), 64)).toEqual(Buffer.from(reportData));
          await rm(path, { recursive: true });
        },
      };
      const report = await createTsmReporter({ folder, fileSystem }).report({
        provider: 'tdx_guest',
        reportData,
      });
      expect(report.outblob).toHaveLength(20_000);
      expect(seen).toHaveLength(1);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('does not find a kernel without configfs-tsm', async () => {
    const reporter = createTsmReporter({ folder: join(tmpdir(), 'no', 'such', 'folder') });
    expect(await reporter.provider()).toBeUndefined();
    await expect(reporter.report({ provider: 'tdx_guest', reportData })).rejects.toMatchObject({
      code: 'TSM_UNAVAILABLE',
    });
  });

  it('refuses to write an attribute that is not there, and removes an empty entry', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'verigo-tsm-'));
    try {
      await mkdir(join(folder, 'entry'));
      const write = configFileSystem.write(join(folder, 'entry', 'privlevel'), Buffer.from('0'));
      await expect(write).rejects.toMatchObject({ code: 'ENOENT' });
      await configFileSystem.rmdir(join(folder, 'entry'));
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
