import { describe, expect, it } from 'vitest';
import { DEFAULT_FILE } from '../../../agent/config/load-config.ts';
import { createFakeAuthority } from '../../fakes/fake-tls.ts';
import { AS, KBS, useGuestFiles } from './guest-files.ts';

const { load, loadText, put } = useGuestFiles();

const DEFAULTS = {
  token_configs: {},
  eventlog_config: { init_pcr: 17, enable_eventlog: false },
  log: { level: 'info' },
  resource_servers: [],
  attester: { dangerously_use_sample_attester: false, dangerously_use_sample_device: false },
  sockets: {
    listen: ['unix:///run/confidential-containers/attestation-agent/attestation-agent.sock'],
    mode: '0600',
    dangerously_serve_beyond_loopback: false,
  },
  deadlines: {
    request_seconds: 45,
    attempt_seconds: 20,
    renew_before_seconds: 30,
    clock_skew_seconds: 60,
  },
};

describe('what upstream’s agents are configured with', () => {
  it.each([
    ['an empty file', ''],
    ['empty tables', '[token_configs]\n[token_configs.kbs]\n[token_configs.coco_as]\n[eventlog_config]\n'],
  ])('%s is all defaults', async (_what, text) => {
    const { token_configs: tokens, ...others } = await loadText(text);
    expect(others).toEqual({ ...DEFAULTS, token_configs: undefined });
    expect(tokens.kbs?.url).toBeUndefined();
    expect(tokens.coco_as?.url).toBeUndefined();
  });

  it.each([
    [
      'TOML',
      'aa.toml',
      `${AS}${KBS}cert = ""\n[eventlog_config]\ninit_pcr = 10\nenable_eventlog = true\n[log]\nlevel = "warn"`,
    ],
    [
      'JSON',
      'aa.json',
      JSON.stringify({
        token_configs: {
          coco_as: { url: 'https://as.example' },
          kbs: { url: 'https://kbs.example', cert: '' },
        },
        eventlog_config: { init_pcr: 10, enable_eventlog: true },
        log: { level: 'warn' },
      }),
    ],
  ])('every key, in %s', async (_format, name, text) => {
    expect(await loadText(text, name)).toMatchObject({
      token_configs: {
        coco_as: { url: 'https://as.example' },
        kbs: { url: 'https://kbs.example', cert: '', tee_key_algorithm: 'ECDH-ES+A256KW-P256' },
      },
      eventlog_config: { init_pcr: 10, enable_eventlog: true },
      log: { level: 'warn' },
    });
  });
});

describe('without a file on the command line', () => {
  const BROKER = { token_configs: { kbs: { url: 'http://broker:8080' } } };

  it('the file in /etc counts (A13)', async () => {
    await put(DEFAULT_FILE, KBS);
    await put('proc/cmdline', 'agent.aa_kbc_params=cc_kbc::http://broker:8080');
    expect((await load()).token_configs.kbs?.url).toBe('https://kbs.example');
  });

  it('else the kernel names the key broker, and the environment before it', async () => {
    expect(await load()).toEqual(DEFAULTS);
    await put('proc/cmdline', 'quiet agent.aa_kbc_params=cc_kbc::http://broker:8080 ro\n');
    expect(await load()).toMatchObject(BROKER);
    const env = { AA_KBC_PARAMS: 'cc_kbc::http://other' };
    expect((await load({ env })).token_configs.kbs?.url).toBe('http://other');
  });

  it.each([['offline_fs_kbc::null'], ['cc_kbc::http://a::b'], ['cc_kbc'], ['cc_kbc::'], ['']])(
    '%j names none',
    async (params) => {
      expect(await load({ env: { AA_KBC_PARAMS: params } })).toEqual(DEFAULTS);
    },
  );

  it('a file that was named counts alone', async () => {
    await put(DEFAULT_FILE, KBS);
    const file = await put('aa.toml', '');
    expect(await load({ file, env: { AA_KBC_PARAMS: 'cc_kbc::http://a' } })).toEqual(DEFAULTS);
  });
});

it('RUST_LOG is obeyed where it is a level', async () => {
  const level = async (value: string): Promise<string> =>
    (await load({ env: { RUST_LOG: value } })).log.level;
  expect(await level('DEBUG')).toBe('debug');
  expect(await level('attestation_agent=trace')).toBe('info');
});

it('the command line wins, and is checked with the rest', async () => {
  const file = await put('aa.toml', KBS);
  const url = (value: unknown) => [{ path: ['token_configs', 'kbs', 'url'] as const, value }];
  expect((await load({ file, overrides: url('https://other') })).token_configs.kbs?.url).toBe(
    'https://other',
  );
  await expect(load({ file, overrides: url(7) })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('attestation services by name, and the keys of upstream as the default one', async () => {
  const config = await loadText(
    `${AS}[token_configs.coco_as.gpu]\nurl = "https://gpu.example"\npolicy_ids = ["gpu"]\n`,
  );
  expect(config.token_configs.coco_as).toMatchObject({
    url: 'https://as.example',
    gpu: { url: 'https://gpu.example', policy_ids: ['gpu'] },
  });
});

it('a whole configuration of ours', async () => {
  const { pem } = await createFakeAuthority();
  const pin = `sha256/${'A'.repeat(43)}=`;
  const config = await loadText(`
${AS}pins = ["${pin}"]
${KBS}cert = """${pem}"""
ca_mode = "only"
tee_key_algorithm = "RSA-OAEP-256"
token_source = "coco_as"
[[resource_servers]]
host = "second.example:8443"
url = "https://second.example:8443"
token_source = "kbs"
plugins = ["resource"]
[[resource_servers]]
host = "third.example"
url = "http://third.example"
token_file = "/run/token.json"
[attester]
dangerously_use_sample_attester = true
[sockets]
listen = ["unix:///run/aa.sock", "127.0.0.1:50002"]
mode = "0660"
`);
  expect(config.resource_servers.map(({ host }) => host)).toEqual(['second.example:8443', 'third.example']);
});
