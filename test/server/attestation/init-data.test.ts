import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bindInitData } from '../../../server/attestation/init-data.ts';
import { toHex } from '../../../server/bytes/encoding.ts';

const document = (data: string, algorithm = 'sha256') =>
  `version = "0.1.0"\nalgorithm = "${algorithm}"\n[data]\n${data}\n`;
const claimsOf = (data: string) => bindInitData({ init_data_toml: document(data) }).claims;

describe('bindInitData', () => {
  it('expects nothing when the caller gave nothing', () => {
    expect(bindInitData(undefined)).toEqual({ digest: undefined, claims: null });
  });

  it('takes a digest as it is', () => {
    const bound = bindInitData({ init_data_digest: 'AQID' });
    expect([...(bound.digest ?? [])]).toEqual([1, 2, 3]);
    expect(bound.claims).toBeNull();
  });

  it.each(['sha256', 'sha384', 'sha512'])('hashes the very text of the document with %s', (algorithm) => {
    const toml = document('"a" = "b"', algorithm);
    const { digest } = bindInitData({ init_data_toml: toml });
    expect(digest && toHex(digest)).toBe(createHash(algorithm).update(toml).digest('hex'));
  });

  it('shows the configurations of the agents as objects, and leaves what is no TOML as text', () => {
    expect(
      claimsOf(
        `"cdh.toml" = '''\n[image]\nroots = ["pem"]\nsince = 2026-01-02T03:04:05Z\nbig = 1.5\n'''\n"aa.toml" = "[["\n"x.toml" = "a = 1"`,
      ),
    ).toEqual({
      'cdh.toml': { image: { roots: ['pem'], since: '2026-01-02T03:04:05.000Z', big: 1.5 } },
      'aa.toml': '[[',
      'x.toml': 'a = 1',
    });
  });

  it('shows the data of the agent policy in place of the policy', () => {
    expect(
      claimsOf(`"policy.rego" = '''\npackage agent_policy\npolicy_data := {"containers": [1]}\n\n'''`),
    ).toEqual({
      agent_policy_claims: { containers: [1] },
    });
  });

  it.each([
    ['there is no data', 'package agent_policy\n'],
    ['text follows the data', 'policy_data := {"a":1}\nallow := true\n'],
    ['the marker is in a comment', '# policy_data := {"a":1}'],
    ['there are two markers', 'policy_data := {"a":\npolicy_data := {"a":1}'],
    ['the data names a member twice', 'policy_data := {"a":1,"a":2}'],
  ])('shows the agent policy as text when %s', (_why, rego) => {
    expect(claimsOf(`"policy.rego" = '''\n${rego}'''`)).toEqual({ 'policy.rego': rego });
  });

  it.each([
    ['a broken document', 'version ='],
    ['a key twice', 'version = "1"\nversion = "2"'],
    ['no version', 'algorithm = "sha256"\n[data]'],
    ['no algorithm', 'version = "1"\n[data]'],
    ['an algorithm in upper case', 'version = "1"\nalgorithm = "SHA256"\n[data]'],
    ['an algorithm by its IANA name', 'version = "1"\nalgorithm = "sha-256"\n[data]'],
    ['no data', 'version = "1"\nalgorithm = "sha256"'],
    ['data that is a list', 'version = "1"\nalgorithm = "sha256"\ndata = []'],
    ['a number in data', 'version = "1"\nalgorithm = "sha256"\n[data]\na = 1'],
    ['a bottomless document', `version = "1"\nalgorithm = "sha256"\n[data]\na = ${'['.repeat(100)}`],
  ])('refuses %s', (_what, toml) => {
    expect(() => bindInitData({ init_data_toml: toml })).toThrow(
      expect.objectContaining({ code: 'INIT_DATA_INVALID' }),
    );
  });

  it('refuses a digest that is longer than any', () => {
    const digest = (length: number): string => Buffer.alloc(length, 1).toString('base64url');
    expect(bindInitData({ init_data_digest: digest(64) }).digest).toHaveLength(64);
    expect(() => bindInitData({ init_data_digest: digest(65) })).toThrow(
      expect.objectContaining({ code: 'INIT_DATA_INVALID' }),
    );
  });

  it('refuses a digest that is not base64url', () => {
    expect(() => bindInitData({ init_data_digest: '=' })).toThrow(
      expect.objectContaining({ code: 'ENCODING_MALFORMED' }),
    );
  });
});
