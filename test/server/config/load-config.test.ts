import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../server/config/config-error.ts';
import { explainConfig, loadConfig } from '../../../server/config/load-config.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'verigo-config-'));
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

function load(toml: string, env: Record<string, string> = {}) {
  writeFileSync(join(cwd, 'verigo.toml'), toml);
  return loadConfig({ env, cwd });
}

function failure(action: () => unknown): ConfigError {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

describe('defaults', () => {
  it('needs no file', () => {
    const config = loadConfig({ env: {}, cwd });
    expect(config.http).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      body_limit_bytes: 2_097_152,
    });
    expect(config.attestation).toMatchObject({
      issuer: 'CoCo-Attestation-Service',
      token_lifetime_seconds: 300,
      nonce: 'accept-foreign',
    });
    expect(config.verifiers.dangerously_accept_sample_evidence).toBe(false);
    expect(config.verifiers.snp).toEqual({
      enabled: true,
      allowed_vmpls: [0],
      kds_url: 'https://kdsintf.amd.com',
    });
    expect(config.collateral.revocation).toBe('required');
    expect(config.admin.acls).toEqual([{ role: 'admin', allowed_endpoints: '^/.*$' }]);
    expect(config.database.url).toBeUndefined();
  });

  it('makes paths absolute and puts the master key into the data folder', () => {
    const config = load('data_dir = "state"\n[attestation]\nsigning_key_file = "/etc/key.pem"');
    expect(config.data_dir).toBe(join(cwd, 'state'));
    expect(config.keys.master_key_file).toBe(join(cwd, 'state', 'master.key'));
    expect(config.attestation.signing_key_file).toBe('/etc/key.pem');
  });

  it('is frozen at every depth', () => {
    const config = loadConfig({ env: {}, cwd });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.verifiers.snp.allowed_vmpls)).toBe(true);
    expect(Object.isFrozen(config.admin.acls[0])).toBe(true);
  });
});

describe('which file', () => {
  it.each([
    ['--config', { file: 'a.toml', env: { VERIGO_CONFIG: 'b.toml' } }, 1001],
    ['VERIGO_CONFIG', { env: { VERIGO_CONFIG: 'b.toml' } }, 1002],
    ['verigo.toml', { env: {} }, 1003],
  ])('%s', (_what, sources, port) => {
    writeFileSync(join(cwd, 'a.toml'), '[http]\nport = 1001');
    writeFileSync(join(cwd, 'b.toml'), '[http]\nport = 1002');
    writeFileSync(join(cwd, 'verigo.toml'), '[http]\nport = 1003');
    expect(loadConfig({ ...sources, cwd }).http.port).toBe(port);
  });

  it('refuses a named file that is not there', () => {
    const error = failure(() => loadConfig({ file: 'absent.toml', env: {}, cwd }));
    expect(error.code).toBe('CONFIG_FILE_UNREADABLE');
    expect(error.problems[0]?.where).toBe('absent.toml');
  });

  it('names line and column of what is not TOML, without quoting the file', () => {
    const error = failure(() => load('[database]\nurl = "postgres://u:hunter2@h/db'));
    expect(error.code).toBe('CONFIG_NOT_TOML');
    expect(error.problems[0]?.where).toMatch(/^verigo\.toml, line 2, column \d+$/);
    expect(error.message).not.toContain('hunter2');
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('hunter2');
  });
});

describe('what the file may not say', () => {
  it.each([
    [
      'a key of the wrong type',
      '[http]\nport = "8080"',
      'http.port',
      'expected a whole number from 0 to 65535, got "8080"',
    ],
    [
      'a number out of range',
      '[http]\nport = 70000',
      'http.port',
      'expected a whole number from 0 to 65535, got 70000',
    ],
    ['a fraction', '[http]\nport = 80.5', 'http.port', 'got 80.5'],
    ['a date', '[http]\nhost = 2026-01-01', 'http.host', 'expected a text that is not empty, got a date'],
    ['an empty text', '[attestation]\nprofile = ""', 'attestation.profile', 'got ""'],
    [
      'a word that is not one of the list',
      '[collateral]\nrevocation = "sometimes"',
      'collateral.revocation',
      'expected one of "required", "when-available", got "sometimes"',
    ],
    ['a wrong item of a list', 'roles = ["as", "kbz"]', 'roles', 'got ["as","kbz"]'],
    ['an empty list of roles', 'roles = []', 'roles', 'expected a list of one or more of'],
    ['a value where a table belongs', 'http = 5', 'http', 'expected a table, got 5'],
    [
      'a table where several belong',
      '[kbs.issuers]\nissuer = "a"',
      'kbs.issuers',
      'expected [[kbs.issuers]] tables',
    ],
    ['an unknown key', '[http]\nprot = 1', 'http.prot', 'did you mean port?'],
    [
      'a key of another table',
      '[kbs]\nrevocation = "required"',
      'kbs.revocation',
      'did you mean collateral.revocation?',
    ],
    ['an unknown table', '[atestation]\nissuer = "a"', 'atestation', 'did you mean attestation?'],
    [
      'an unknown key without a likeness',
      '[log]\nxyzzy = 1',
      'log.xyzzy',
      'expected a known key, got one that is not',
    ],
    ['a missing key', '[[kbs.issuers]]\njwks_file = "a"', 'kbs.issuers[0].issuer', 'got nothing'],
    ['a master key', '[keys]\nmaster_key = "abc"', 'keys.master_key', 'VERIGO_MASTER_KEY'],
    [
      'another database',
      '[database]\nurl = "mysql://h/db"',
      'database.url',
      'expected a postgres:// URL, got another value',
    ],
    [
      'a privilege level that does not exist',
      '[verifiers.snp]\nallowed_vmpls = [4]',
      'verifiers.snp.allowed_vmpls',
      'got [4]',
    ],
    [
      'keys over plain http',
      '[[kbs.issuers]]\nissuer = "a"\njwks_url = "http://keys.example/j"',
      'kbs.issuers[0].jwks_url',
      'expected an https URL',
    ],
    [
      'a host that only looks like this machine',
      '[[kbs.issuers]]\nissuer = "a"\njwks_url = "http://localhost.evil.example/j"',
      'kbs.issuers[0].jwks_url',
      'expected an https URL',
    ],
  ])('refuses %s', (_what, toml, where, message) => {
    const error = failure(() => load(toml));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.problems.map((problem) => problem.where)).toContain(where);
    expect(error.message).toContain(message);
  });

  it.each([
    [
      'a certificate without its key',
      '[attestation]\nsigning_cert_file = "c.pem"',
      'attestation.signing_cert_file',
    ],
    ['resources that no request can carry', '[kbs]\nmax_resource_bytes = 4194304', 'kbs.max_resource_bytes'],
    ['a key broker that trusts nobody', 'roles = ["kbs"]', 'kbs.issuers'],
    ['an issuer without keys', '[[kbs.issuers]]\nissuer = "a"', 'kbs.issuers[0]'],
    [
      'an issuer with two sources of keys',
      '[[kbs.issuers]]\nissuer = "a"\njwks_file = "j"\ncertificate_roots_file = "r"',
      'kbs.issuers[0]',
    ],
    [
      'a header key beside real ones',
      '[[kbs.issuers]]\nissuer = "a"\njwks_file = "j"\ndangerously_trust_header_jwk = true',
      'kbs.issuers[0]',
    ],
    [
      'a provider without keys',
      '[[admin.identity_providers]]\nissuer = "a"\naudience = "b"',
      'admin.identity_providers[0]',
    ],
    [
      'an administration that nobody can enter',
      '[admin]\ntrust_local_key = false',
      'admin.identity_providers',
    ],
    [
      'a pattern without anchors',
      '[[admin.acls]]\nrole = "r"\nallowed_endpoints = "/api"',
      'admin.acls[0].allowed_endpoints',
    ],
    [
      'a pattern that does not compile',
      '[[admin.acls]]\nrole = "r"\nallowed_endpoints = "^/(a$"',
      'admin.acls[0].allowed_endpoints',
    ],
  ])('refuses %s', (_what, toml, where) => {
    const error = failure(() => load(toml));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.problems.map((problem) => problem.where)).toEqual([where]);
  });

  it('lists every problem at once', () => {
    const error = failure(() =>
      load('rols = []\n[http]\nport = -1\n[log]\nlevel = "loud"', { VERIGO_HTP__HOST: 'x' }),
    );
    expect(error.problems.map((problem) => problem.where).toSorted()).toEqual(
      ['VERIGO_HTP__HOST', 'http.port', 'log.level', 'rols'].toSorted(),
    );
  });
});

it('lets the environment win, and tells where each value came from', () => {
  writeFileSync(join(cwd, 'verigo.toml'), '[http]\nport = 1\nhost = "::1"');
  const { file, origins } = explainConfig({ env: { VERIGO_HTTP__PORT: '2' }, cwd });
  expect(file).toBe('verigo.toml');
  expect(Object.fromEntries(origins)).toEqual({
    'http.port': 'VERIGO_HTTP__PORT',
    'http.host': 'verigo.toml',
  });
});
