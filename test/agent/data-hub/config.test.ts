import { describe, expect, test } from 'vitest';
import { type HubConfig, parseHubConfig } from '../../../agent/data-hub/config.ts';
import { HubConfigError } from '../../../agent/data-hub/config-problems.ts';

const MINIMAL = 'kbc = { name = "offline_fs_kbc" }';

/** Upstream's keys, all of them. */
const UPSTREAM = `
socket = "unix:///run/cdh.sock"
skip_sealed_secret_verification = true
[aa]
aa_socket = "unix:///run/aa.sock"
[kbc]
name = "cc_kbc"
url = "http://127.0.0.1:8080"
kbs_cert = ""
[[credentials]]
path = "/run/confidential-containers/cdh/kbs/kms-credential/aliyun/config.toml"
resource_uri = "kbs:///default/aliyun/config"
[image]
work_dir = "/run/image-rs"
max_concurrent_layer_downloads_per_image = 5
image_security_policy_uri = "kbs:///default/security-policy/test"
image_security_policy = "{}"
sigstore_config_uri = "kbs:///default/sigstore-config/test"
sigstore_config = "x"
authenticated_registry_credentials_uri = "kbs:///default/credential/test"
registry_configuration_uri = "kbs:///default/registry/test"
extra_root_certificates = ["pem"]
[image.registry_config]
unqualified-search-registries = ["docker.io"]
[[image.registry_config.registry]]
prefix = "a"
[image.image_pull_proxy]
https_proxy = "http://127.0.0.1:8081"
http_proxy = "http://127.0.0.1:8081"
no_proxy = "192.168.0.0/16"
[log]
level = "debug"
`;

function problems(text: string, format: 'toml' | 'json' = 'toml'): readonly string[] {
  try {
    parseHubConfig(text, format);
  } catch (error) {
    if (error instanceof HubConfigError) return [error.code, ...error.problems];
    throw error;
  }
  return [];
}

describe('what upstream’s files say', () => {
  test('every key', () => {
    expect(parseHubConfig(UPSTREAM, 'toml')).toMatchObject({
      socket: 'unix:///run/cdh.sock',
      aa: { aa_socket: 'unix:///run/aa.sock' },
      kbc: { name: 'cc_kbc', url: 'http://127.0.0.1:8080', kbs_cert: '', token_type: 'kbs', ca_mode: 'add' },
      credentials: [{ resource_uri: 'kbs:///default/aliyun/config' }],
      skip_sealed_secret_verification: true,
      image: {
        max_concurrent_layer_downloads_per_image: 5,
        registry_config: { registry: [{ prefix: 'a' }] },
      },
      log: { level: 'debug' },
    });
  });

  test('the least of it, and upstream’s defaults', () => {
    const config = parseHubConfig(MINIMAL, 'toml');
    expect(config).toMatchObject<Partial<HubConfig>>({
      socket: 'unix:///run/confidential-containers/cdh.sock',
      aa: { aa_socket: 'unix:///run/confidential-containers/attestation-agent/attestation-agent.sock' },
      credentials: [],
      skip_sealed_secret_verification: false,
      log: { level: 'info' },
    });
    expect(config.image).toMatchObject({
      work_dir: '/run/kata-containers/image/',
      max_concurrent_layer_downloads_per_image: 3,
      extra_root_certificates: [],
    });
  });

  test('JSON', () => {
    expect(parseHubConfig('{"kbc":{"name":"offline_fs_kbc"}}', 'json')).toEqual(
      parseHubConfig(MINIMAL, 'toml'),
    );
  });
});

describe('what is refused', () => {
  test.each([
    ['sokcet = "x"\n', 'sokcet: expected a known key, got one that is not; did you mean socket?'],
    ['zzzzzzzz = "x"\n', 'zzzzzzzz: expected a known key, got one that is not'],
  ])('an unknown key: %s', (line, problem) => {
    expect(problems(line + MINIMAL)).toEqual(['CONFIG_INVALID', problem]);
  });

  test.each([
    ['[kbc]\nname = "offline_fs_kbc"\nkbs_crt = ""', 'kbc.kbs_crt', 'kbs_cert'],
    [`${MINIMAL}\nimage.image_pull_proxy.noproxy = ""`, 'image.image_pull_proxy.noproxy', 'no_proxy'],
    [
      `${MINIMAL}\nresource_servers = [{ host = "a", url = "http://b", token_typ = "kbs" }]`,
      'resource_servers[0].token_typ',
      'token_type',
    ],
  ])('an unknown key further down: %s', (text, where, meant) => {
    expect(problems(text)).toEqual([
      'CONFIG_INVALID',
      `${where}: expected a known key, got one that is not; did you mean ${meant}?`,
    ]);
  });

  test.each([
    ['no kbc', 'socket = "unix:///x"', /^kbc: /],
    ['a kbc that is none', 'kbc = { name = "sample_kbc" }', /^kbc\.name: /],
    ['a broker without URL', 'kbc = { name = "cc_kbc" }', /^kbc\.url: expected a URL/],
    [
      'a token that comes without its key',
      'kbc = { name = "cc_kbc", url = "http://a", token_type = "coco_as" }',
      /^kbc\.token_type: /,
    ],
    [
      'a token with a refusal',
      'kbc = { name = "cc_kbc", url = "http://a", token_type = "kbs;not=x" }',
      /^kbc\.token_type: /,
    ],
    ['pins that pin nothing', 'kbc = { name = "cc_kbc", url = "https://a", pins = [] }', /^kbc\.pins: /],
    [
      'a credential without its place',
      `${MINIMAL}\ncredentials = [{ resource_uri = "kbs:///a" }]`,
      /^credentials\[0\]\.path: /,
    ],
    [
      'a credential without its resource',
      `${MINIMAL}\ncredentials = [{ path = "/run/confidential-containers/cdh/kbs/a" }]`,
      /^credentials\[0\]\.resource_uri: /,
    ],
    [
      'a credential elsewhere (C20)',
      `${MINIMAL}\ncredentials = [{ path = "/run/confidential-containers/cdh/kbsX/a", resource_uri = "kbs:///a" }]`,
      /^credentials\[0\]\.path: expected a path of names below/,
    ],
    [
      'a credential that is no resource',
      `${MINIMAL}\ncredentials = [{ path = "/run/confidential-containers/cdh/kbs/a", resource_uri = "http:///a" }]`,
      /^credentials\[0\]\.resource_uri: expected a resource URI/,
    ],
    [
      'a key that is no resource',
      `${MINIMAL}\nsealed_secret.key_uris = ["x"]`,
      /^sealed_secret\.key_uris\[0\]: /,
    ],
    [
      'two servers of one host',
      `${MINIMAL}\nresource_servers = [{ host = "a", url = "http://b" }, { host = "A", url = "http://c" }]`,
      /^resource_servers: expected each host once/,
    ],
    ['another form of keys', `${MINIMAL}\nkey_unwrap.output = "hex"`, /^key_unwrap\.output: /],
  ])('%s', (_what, text, problem) => {
    expect(problems(text)).toEqual(['CONFIG_INVALID', expect.stringMatching(problem)]);
  });

  test('all problems at once', () => {
    expect(problems('x = 1\ny = 2\nkbc = { name = "cc_kbc", z = 3 }')).toHaveLength(4);
  });

  test('what is no TOML, with its place and without what stands there', () => {
    expect(problems('kbc = { name = "s3cret')).toEqual([
      'CONFIG_NOT_TOML',
      expect.stringMatching(/^line 1, column \d+: expected TOML, got something else$/),
    ]);
  });

  test('what is no JSON', () => {
    expect(problems('{"kbc":', 'json')).toEqual(['CONFIG_NOT_JSON', 'expected JSON, got something else']);
  });
});
