import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { expect, it } from 'vitest';
import { type ConfigKey, configTree, descendants } from '../../../server/config/config-tree.ts';
import { explainConfig, loadConfig } from '../../../server/config/load-config.ts';
import { renderConfig, renderExample, withoutSecrets } from '../../../server/config/render-config.ts';

const EXAMPLE = new URL('../../../verigo.example.toml', import.meta.url);

it('keeps the example file equal to the schema', () => {
  expect(readFileSync(EXAMPLE, 'utf8')).toBe(renderExample());
});

it('says what every key and table means', () => {
  const silent = descendants(configTree).filter(({ meaning, name }) => meaning === '' && name !== '');
  expect(silent.map((node) => node.path)).toEqual([]);
});

it('shows defaults: reading the example changes nothing', () => {
  const cwd = mkdtempSync(join(tmpdir(), 'verigo-config-'));
  try {
    const defaults = loadConfig({ env: {}, cwd });
    writeFileSync(join(cwd, 'verigo.toml'), renderExample());
    expect(loadConfig({ env: {}, cwd })).toEqual(defaults);
  } finally {
    rmSync(cwd, { recursive: true });
  }
});

it('has every key, and examples that the schema accepts', () => {
  const uncommented = renderExample().replaceAll(/^#(?=[a-z[])/gm, '');
  const document = parse(uncommented);
  const missing = descendants(configTree)
    .filter((node): node is ConfigKey => node.kind === 'key')
    .filter(({ path }) => path.split('.').reduce(member, document) === undefined);
  expect(missing.map((key) => key.path)).toEqual([]);
});

function member(value: unknown, name: string): unknown {
  const one: unknown = Array.isArray(value) ? value[0] : value;
  return (one as Record<string, unknown> | undefined)?.[name];
}

it('hides secrets and tells origins', () => {
  const env = {
    DATABASE_URL: 'postgres://verigo:hunter2@db:5432/verigo?password=hunter2',
    VERIGO_MASTER_KEY: 'hunter2',
  };
  const explained = explainConfig({ env, cwd: '/' });
  const text = renderConfig(explained);
  expect(text).not.toContain('hunter2');
  expect(text).toContain('url = "postgres://verigo:hidden@db:5432/verigo?hidden" # from DATABASE_URL');
  expect(text).toContain('master_key = "(hidden)" # from VERIGO_MASTER_KEY');
  expect(JSON.stringify(withoutSecrets(explained.config))).not.toContain('hunter2');
});

it('writes TOML that says the same again', () => {
  const env = {
    VERIGO_KBS__ISSUERS: '[{ issuer = "a \\" \\\\ b", jwks_file = "/j", profiles = ["x", "y"] }]',
    VERIGO_VERIFIERS__SNP__ALLOWED_VMPLS: '[0, 2]',
  };
  const explained = explainConfig({ env, cwd: '/' });
  expect(parse(renderConfig(explained))).toEqual(JSON.parse(JSON.stringify(explained.config)));
});
