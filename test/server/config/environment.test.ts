import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../server/config/config-error.ts';
import { type Config, loadConfig } from '../../../server/config/load-config.ts';

function load(env: Record<string, string>): Config {
  return loadConfig({ env, cwd: '/' });
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

describe('the environment', () => {
  it.each([
    ['a number', { VERIGO_HTTP__PORT: '9090' }, (c: Config) => c.http.port, 9090],
    ['a switch', { VERIGO_HTTP__TRUST_PROXY: 'true' }, (c: Config) => c.http.trust_proxy, true],
    ['a text', { VERIGO_ATTESTATION__ISSUER: '5' }, (c: Config) => c.attestation.issuer, '5'],
    ['a list', { VERIGO_ROLES: '["as"]' }, (c: Config) => c.roles, ['as']],
    ['an empty text', { VERIGO_VERIFIERS__SNP__KDS_URL: '' }, (c: Config) => c.verifiers.snp.kds_url, ''],
    ['DATABASE_URL', { DATABASE_URL: 'postgres://h/db' }, (c: Config) => c.database.url, 'postgres://h/db'],
    ['VERIGO_MASTER_KEY', { VERIGO_MASTER_KEY: 'k' }, (c: Config) => c.keys.master_key, 'k'],
    ['VERIGO_OPA', { VERIGO_OPA: '/bin/opa' }, (c: Config) => c.policy.opa, '/bin/opa'],
    ['VERIGO_DATA_DIR', { VERIGO_DATA_DIR: '/d' }, (c: Config) => c.data_dir, '/d'],
    [
      'tables',
      { VERIGO_KBS__ISSUERS: '[{ issuer = "a", jwks_file = "/j" }]' },
      (c: Config) => c.kbs.issuers[0]?.jwks_file,
      '/j',
    ],
  ])('sets %s, by the name of the key', (_what, env, read, expected) => {
    expect(read(load(env))).toEqual(expected);
  });

  it.each([
    [
      'a value of the wrong type',
      { VERIGO_HTTP__PORT: 'eighty' },
      'http.port (VERIGO_HTTP__PORT)',
      'got "eighty"',
    ],
    [
      'more than a value',
      { VERIGO_HTTP__PORT: '1\nhost = "x"' },
      'http.port (VERIGO_HTTP__PORT)',
      'expected a whole number',
    ],
    ['an unknown name', { VERIGO_HTTP__PROT: '1' }, 'VERIGO_HTTP__PROT', 'did you mean VERIGO_HTTP__PORT?'],
    ['one underscore', { VERIGO_HTTP_PORT: '1' }, 'VERIGO_HTTP_PORT', 'did you mean VERIGO_HTTP__PORT?'],
    ['a table', { VERIGO_HTTP: '{ port = 1 }' }, 'VERIGO_HTTP', 'not known'],
    [
      'one key twice',
      { DATABASE_URL: 'postgres://a/b', VERIGO_DATABASE__URL: 'postgres://c/d' },
      'VERIGO_DATABASE__URL',
      'from one variable',
    ],
    ['an empty master key', { VERIGO_MASTER_KEY: '' }, 'keys.master_key (VERIGO_MASTER_KEY)', 'expected'],
    ['an empty database', { DATABASE_URL: '' }, 'database.url (DATABASE_URL)', 'expected a postgres:// URL'],
  ])('refuses %s', (_what, env, where, message) => {
    const error = failure(() => load(env));
    expect(error.problems.map((problem) => problem.where)).toEqual([where]);
    expect(error.message).toContain(message);
  });

  it('never repeats a secret that it refuses', () => {
    const error = failure(() => load({ DATABASE_URL: 'mysql://u:hunter2@h' }));
    expect(error.message).not.toContain('hunter2');
  });

  it('passes over what Kubernetes and the command line put there', () => {
    const env = {
      VERIGO_SERVICE_HOST: '10.0.0.1',
      VERIGO_SERVICE_PORT_HTTP: '8080',
      VERIGO_PORT: 'tcp://10.0.0.1:8080',
      VERIGO_PORT_8080_TCP_ADDR: '10.0.0.1',
      VERIGO_SERVER: 'http://x',
      VERIGO_ADMIN_TOKEN: 't',
      HOME: '/root',
    };
    expect(load(env).http.port).toBe(8080);
  });
});

it('refuses any value in its own words', () => {
  const names = fc.constantFrom(
    'VERIGO_HTTP__PORT',
    'VERIGO_ROLES',
    'VERIGO_KBS__ISSUERS',
    'VERIGO_ADMIN__ACLS',
    'DATABASE_URL',
  );
  const fragments = fc.constantFrom(
    '[',
    ']',
    '{',
    '}',
    '=',
    ',',
    '"',
    '.',
    '\n',
    '#',
    'issuer',
    '1',
    '1979-05-27',
    'inf',
  );
  const values = fc.oneof(
    fc.string(),
    fc.array(fragments).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(names, values, (name, value) => {
      try {
        load({ [name]: value });
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
    }),
    { numRuns: 500 },
  );
});
