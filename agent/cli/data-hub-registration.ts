import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fromUtf8 } from '../../server/bytes/encoding.ts';
import { CommandError } from './command-error.ts';
import { readTextInput } from './command-files.ts';
import type { Surroundings } from './command-io.ts';
import type { RoleRegistration } from './role-registration.ts';

const flagsSchema = z.object({ cdhConfig: z.string().optional() });

/** The Confidential Data Hub among the roles. */
export const dataHubRegistration: RoleRegistration = {
  name: 'cdh',
  addFlags(serve) {
    serve.option('--cdh-config <file>', 'the configuration of the data hub, TOML or JSON');
  },
  async create(flags, around) {
    const { cdhConfig: file } = flagsSchema.parse(flags);
    if (file === undefined) {
      throw new CommandError('USAGE', 'expected --cdh-config beside the role cdh, got none');
    }
    const { parseHubConfig } = await import('../data-hub/config.ts');
    const { dataHubRole } = await import('../data-hub/data-hub-role.ts');
    const { createKmsDrivers } = await import('../data-hub/kms/kms-drivers.ts');
    const text = await readTextInput(around, file);
    const config = parseHubConfig(text, file.endsWith('.json') ? 'json' : 'toml');
    const offlineTexts = config.kbc.name === 'offline_fs_kbc' ? await readOfflineFiles(around) : [];
    const userAgent = `verigo-cdh/${around.version}`;
    const drivers = createKmsDrivers({ userAgent, clock: around.clock });
    return {
      role: dataHubRole({ config, offlineTexts, drivers, userAgent }),
      logLevel: config.log.level,
    };
  },
};

/** Upstream's files, and those that its variable names, with commas. A missing one is none. */
async function readOfflineFiles({ root, env }: Surroundings): Promise<readonly (string | undefined)[]> {
  const { OFFLINE_FILES } = await import('../data-hub/get-resource/offline-resources.ts');
  const further = (env['OFFLINE_FS_KBC_EXTRA_FILE_PATH'] ?? '').split(',').filter((path) => path !== '');
  return await Promise.all([...OFFLINE_FILES.map((path) => join(root, path)), ...further].map(readIfThere));
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return fromUtf8(await readFile(path));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new CommandError('INPUT_UNREADABLE', `expected a file that can be read, got '${path}'`, { cause });
  }
}
