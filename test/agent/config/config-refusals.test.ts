import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_FILE } from '../../../agent/config/load-config.ts';
import { AS, KBS, useGuestFiles } from './guest-files.ts';

const { load, loadText, problemsOf, root } = useGuestFiles();

describe('refusals', () => {
  const SERVER = '[[resource_servers]]\nhost = "a.example"\nurl = "https://a.example"\n';
  it.each<[string, string, string]>([
    [
      'an unknown key',
      '[log]\nlevle = "info"',
      'log.levle: expected a known key, got one that is not; did you mean level?',
    ],
    [
      'an unknown table',
      '[token_config]',
      'token_config: expected a known key, got one that is not; did you mean token_configs?',
    ],
    [
      'an unknown key where tables may have any name',
      '[token_configs.coco_as]\nulr = "https://as.example"',
      'token_configs.coco_as.ulr: expected a known key, got one that is not; did you mean url?',
    ],
    [
      'an unknown key in a list of tables',
      `${SERVER}plugin = ["a"]`,
      'resource_servers[0].plugin: expected a known key, got one that is not; did you mean plugins?',
    ],
    ['a key like no other', '[log]\nentirely = 1', 'log.entirely: expected a known key, got one that is not'],
    [
      'a text for a number',
      '[eventlog_config]\ninit_pcr = "17"',
      'eventlog_config.init_pcr: expected a whole number from 0 to 23, got "17"',
    ],
    [
      'a number out of range',
      '[eventlog_config]\ninit_pcr = 24',
      'eventlog_config.init_pcr: expected a whole number from 0 to 23, got 24',
    ],
    [
      'a key of no algorithm that is settled (K12)',
      '[token_configs.kbs]\ntee_key_algorithm = "ML-KEM-768+A192KW"',
      "token_configs.kbs.tee_key_algorithm: expected one of 'ECDH-ES+A256KW-P256', 'ECDH-ES+A256KW-P521', 'RSA-OAEP-256', got \"ML-KEM-768+A192KW\"",
    ],
    ['a text for a table', 'log = "info"', 'log: expected a table, got "info"'],
    [
      'no URL',
      '[[resource_servers]]\nhost = "a.example"',
      'resource_servers[0].url: expected a text, got nothing',
    ],
    [
      'a URL that is none',
      '[token_configs.kbs]\nurl = "kbs.example"',
      'token_configs.kbs: expected an http or https URL without password, query and fragment',
    ],
    [
      'a URL with a password, which is not repeated',
      '[token_configs.kbs]\nurl = "https://user:secret@kbs.example"',
      'token_configs.kbs: expected an http or https URL without password, query and fragment',
    ],
    [
      'a CA that nothing is checked with',
      '[token_configs.kbs]\nurl = "http://kbs.example"\npins = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]',
      'token_configs.kbs: expected an https URL beside a CA or pins, got http for kbs.example',
    ],
    [
      'a certificate that is none',
      `${KBS}cert = "nonsense"`,
      'token_configs.kbs: expected 1 to 256 complete certificates in PEM and nothing else, got 0 of 0',
    ],
    [
      'a pin that is none',
      `${KBS}pins = ["sha256/AA"]`,
      "token_configs.kbs: expected 'sha256/' and 44 characters of base64, got something else",
    ],
    ['no pins', `${KBS}pins = []`, 'token_configs.kbs.pins: expected at least one pin, got another list'],
    [
      'only a CA that is not there (K1)',
      `${KBS}ca_mode = "only"`,
      "token_configs.kbs.cert: expected certificates in PEM beside ca_mode = 'only', got none",
    ],
    [
      'trust in nobody',
      '[token_configs.kbs]\npins = ["a"]',
      'token_configs.kbs.url: expected a URL beside the other keys, got none',
    ],
    [
      'a service without a URL',
      '[token_configs.coco_as.gpu]\npolicy_ids = ["a"]',
      'token_configs.coco_as.gpu.url: expected a URL beside the other keys, got none',
    ],
    [
      'two default services',
      `${AS}[token_configs.coco_as.default]\nurl = "https://b"`,
      'token_configs.coco_as.default: expected it or token_configs.coco_as.url, got both',
    ],
    [
      'a service whose name no token type can have',
      '[token_configs.coco_as."a b"]\nurl = "https://a.example"',
      "token_configs.coco_as.a b: expected a name of letters, digits, '.', '_', ':' and '-', got another",
    ],
    [
      'a chosen service that is not there',
      '[token_configs]\nattestation_service = "gpu"',
      'token_configs.attestation_service: expected a table [token_configs.coco_as.gpu], got none',
    ],
    [
      'tokens of a service that is not there',
      `${SERVER}token_source = "coco_as:gpu"`,
      "resource_servers[0].token_source: expected a service 'gpu' in token_configs.coco_as, got none",
    ],
    [
      'tokens of two origins',
      `${SERVER}token_source = "kbs"\ntoken_file = "/a"`,
      'resource_servers[0].token_file: expected it or token_source, got both',
    ],
    [
      'a host twice',
      `${SERVER}${SERVER.replace('"a.', '"A.')}`,
      'resource_servers[1].host: expected each host once, got one twice',
    ],
    [
      'a host with a path',
      SERVER.replace('"a.example"', '"a.example/b"'),
      'resource_servers[0].host: expected host[:port], got another form',
    ],
    [
      'the sample, asked for without saying so (A14)',
      '[attester]\ntee = "sample"',
      "attester.tee: expected dangerously_use_sample_attester = true beside 'sample', got none",
    ],
    [
      'the sample and another TEE',
      '[attester]\ntee = "snp"\ndangerously_use_sample_attester = true',
      "attester.dangerously_use_sample_attester: expected it or attester.tee = 'snp', got both",
    ],
    [
      'a sample device by a text (A19)',
      '[attester]\ndangerously_use_sample_device = "false"',
      'attester.dangerously_use_sample_device: expected true or false, got "false"',
    ],
    [
      'an address of no kind',
      '[sockets]\nlisten = ["unix:relative"]',
      'sockets.listen[0]: expected an address that starts with unix://, got another form',
    ],
    [
      'nowhere to listen',
      '[sockets]\nlisten = []',
      'sockets.listen: expected at least one address, got another list',
    ],
    [
      'a mode of no file',
      '[sockets]\nmode = "rw"',
      'sockets.mode: expected a mode in octal, \'0600\', got "rw"',
    ],
    [
      'attempts longer than all of them',
      '[deadlines]\nrequest_seconds = 5',
      'deadlines.attempt_seconds: expected at most deadlines.request_seconds, got more',
    ],
  ])('%s', async (_what, text, problem) => {
    expect(await problemsOf(text)).toEqual([problem]);
  });

  it('every problem at once', async () => {
    expect(await problemsOf('a = 1\n[log]\nlevel = "loud"\n[deadlines]\nattempt_seconds = 0')).toHaveLength(
      3,
    );
  });

  it.each([
    ['CONFIG_NOT_TOML', 'aa.toml', 'a = '],
    ['CONFIG_NOT_JSON', 'aa.json', '{'],
    ['CONFIG_NOT_JSON', 'aa.json', '[]'],
    ['CONFIG_NOT_JSON', 'aa.json', '{"log": {}, "log": {}}'],
    ['CONFIG_FORMAT_UNSUPPORTED', 'aa.yaml', ''],
    ['CONFIG_INVALID', 'aa.toml', '#'.repeat(1 << 21)],
  ])('%s: %s', async (code, name, text) => {
    await expect(loadText(text, name)).rejects.toMatchObject({ code });
  });

  it('a TOML error names the place and repeats no line', async () => {
    const [problem] = await problemsOf('[token_configs.kbs]\ncert = "secret\n');
    expect(problem).toMatch(/^\/aa\.toml, line 2, column \d+: expected TOML: /);
    expect(problem).not.toContain('secret');
  });

  it('a file that cannot be read, named or in /etc', async () => {
    const code = 'CONFIG_FILE_UNREADABLE';
    await expect(load({ file: join(root(), 'none.toml') })).rejects.toMatchObject({ code });
    await mkdir(join(root(), DEFAULT_FILE), { recursive: true });
    await expect(load()).rejects.toMatchObject({ code });
  });
});
