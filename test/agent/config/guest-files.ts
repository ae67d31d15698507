import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { ConfigError } from '../../../agent/config/config-error.ts';
import type { Config } from '../../../agent/config/config-schema.ts';
import { type ConfigSources, loadConfig } from '../../../agent/config/load-config.ts';

export const KBS = '[token_configs.kbs]\nurl = "https://kbs.example"\n';
export const AS = '[token_configs.coco_as]\nurl = "https://as.example"\n';

/** A guest's file system, empty for each test, and configurations that are read in it. */
export interface GuestFiles {
  root(): string;
  /** Writes a file, and answers its path. */
  put(path: string, text: string): Promise<string>;
  load(sources?: Partial<ConfigSources>): Promise<Config>;
  loadText(text: string, name?: string): Promise<Config>;
  /** What is wrong with a text, a line each. Throws where nothing is. */
  problemsOf(text: string): Promise<readonly string[]>;
}

export function useGuestFiles(): GuestFiles {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'verigo-root-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });
  const put: GuestFiles['put'] = async (path, text) => {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  };
  const load: GuestFiles['load'] = async (sources = {}) =>
    await loadConfig({ file: undefined, env: {}, root, ...sources });
  const loadText: GuestFiles['loadText'] = async (text, name = 'aa.toml') =>
    await load({ file: await put(name, text) });
  return {
    root: () => root,
    put,
    load,
    loadText,
    async problemsOf(text) {
      const error: unknown = await loadText(text).catch((thrown: unknown) => thrown);
      if (!(error instanceof ConfigError)) throw new Error('expected a ConfigError');
      return error.problems.map(({ where, message }) => `${where.replace(root, '')}: ${message}`);
    },
  };
}
