import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'smol-toml';

/** A configuration as verigo.toml would say it; tables may be left out, and so may any key of theirs. */
export interface ConfigDocument {
  readonly [name: string]:
    | ConfigDocument
    | string
    | number
    | boolean
    | readonly (ConfigDocument | string | number)[];
}

export interface TestConfigOptions {
  readonly config?: ConfigDocument | undefined;
  /** PEM of certificates to believe in place of the vendors' roots. */
  readonly rootsPem?: string | undefined;
  readonly databaseUrl?: string | undefined;
}

/**
 * Writes verigo.toml into the folder, which is also the data folder, and returns its path. Unless `config` says
 * otherwise: a free port, sample evidence accepted, nothing fetched, revocation lists when there are any, no rate limit.
 */
export function writeTestConfig(
  folder: string,
  { config = {}, rootsPem, databaseUrl }: TestConfigOptions,
): string {
  const roots = join(folder, 'roots.pem');
  if (rootsPem !== undefined) writeFileSync(roots, rootsPem);
  const document = merge(
    {
      data_dir: folder,
      http: { port: 0, rate_limit_per_minute: 0 },
      verifiers: {
        dangerously_accept_sample_evidence: true,
        dangerously_replace_vendor_roots: rootsPem === undefined ? [] : [roots],
        snp: { kds_url: '' },
      },
      collateral: { revocation: 'when-available', intel: { url: '' } },
      log: { level: 'silent' },
      ...(databaseUrl !== undefined && { database: { url: databaseUrl } }),
      // The environment of a test run says which OPA to use; absent, the usual finder looks for one.
      ...(process.env['VERIGO_OPA'] !== undefined && { policy: { opa: process.env['VERIGO_OPA'] } }),
    },
    config,
  );
  const file = join(folder, 'verigo.toml');
  writeFileSync(file, stringify(document), { mode: 0o600 });
  return file;
}

function merge(base: ConfigDocument, changes: ConfigDocument): ConfigDocument {
  const merged: Record<string, ConfigDocument[string]> = { ...base };
  for (const [name, value] of Object.entries(changes)) {
    const before = merged[name];
    merged[name] = isTable(before) && isTable(value) ? merge(before, value) : value;
  }
  return merged;
}

function isTable(value: ConfigDocument[string] | undefined): value is ConfigDocument {
  return typeof value === 'object' && !Array.isArray(value);
}
