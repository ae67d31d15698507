import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInitData } from '../../../agent/attestation-agent/init-data.ts';
import { compareWithField } from '../../../agent/attestation-agent/init-data-binding.ts';
import { bindInitData } from '../../../server/attestation/init-data.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';

function toml(members: { version?: string; algorithm?: string; data?: string } = {}): string {
  const { version = '"0.1.0"', algorithm = '"sha384"', data = '"aa.toml" = "a = 1"' } = members;
  return `version = ${version}\nalgorithm = ${algorithm}\n\n[data]\n${data}\n`;
}

describe('parseInitData', () => {
  it('reads the files, and digests the text as it is', () => {
    const text = toml({ data: `"aa.toml" = '''\na = 1\n'''\n"policy.rego" = "package agent_policy"` });
    const { entries, digest, algorithm } = parseInitData(text);
    expect([...entries]).toEqual([
      ['aa.toml', 'a = 1\n'],
      ['policy.rego', 'package agent_policy'],
    ]);
    expect(algorithm).toBe('sha384');
    expect(digest).toEqual(createHash('sha384').update(text).digest());
    expect(digest).toEqual(bindInitData({ init_data_toml: text }).digest);
  });

  it.each([
    ['sha256', 'sha256', 32],
    ['sha-256', 'sha256', 32],
    ['sha384', 'sha384', 48],
    ['sha-384', 'sha384', 48],
    ['sha512', 'sha512', 64],
    ['sha-512', 'sha512', 64],
    ['sm3', 'sm3', 32],
  ])('A22: takes %s for %s', (name, algorithm, bytes) => {
    const initData = parseInitData(toml({ algorithm: `"${name}"` }));
    expect(initData.algorithm).toBe(algorithm);
    expect(initData.digest).toHaveLength(bytes);
  });

  it.each<[string, string, Parameters<typeof toml>[0]]>([
    ['A22: another version', 'INIT_DATA_VERSION_UNSUPPORTED', { version: '"0.2.0"' }],
    ['a version that is a number', 'INIT_DATA_VERSION_UNSUPPORTED', { version: '1' }],
    ['another algorithm', 'INIT_DATA_ALGORITHM_UNSUPPORTED', { algorithm: '"sha1"' }],
    ['an algorithm in capitals', 'INIT_DATA_ALGORITHM_UNSUPPORTED', { algorithm: '"SHA384"' }],
    [
      'a member of every object as the algorithm',
      'INIT_DATA_ALGORITHM_UNSUPPORTED',
      { algorithm: '"toString"' },
    ],
    ['a file that is no text', 'INIT_DATA_MALFORMED', { data: '"aa.toml" = 1' }],
    ['a file that is a table', 'INIT_DATA_MALFORMED', { data: 'a.b = "c"' }],
    ['a name twice', 'INIT_DATA_MALFORMED', { data: 'a = "b"\na = "c"' }],
  ])('refuses %s', (_what, code, members) => {
    expect(() => parseInitData(toml(members))).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['no TOML', '{'],
    ['nothing', ''],
    ['no data', 'version = "0.1.0"\nalgorithm = "sha256"\n'],
    ['data that is a text', 'version = "0.1.0"\nalgorithm = "sha256"\ndata = "x"\n'],
    ['data that is a date', 'version = "0.1.0"\nalgorithm = "sha256"\ndata = 2026-01-01\n'],
    ['too many characters', `#${'x'.repeat(4 * 1024 * 1024)}`],
  ])('refuses %s', (_what, text) => {
    expect(() => parseInitData(text)).toThrow(CodedError);
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        try {
          parseInitData(toml({ data: text }));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

describe('compareWithField', () => {
  const digest = Uint8Array.from({ length: 64 }, (_, index) => index + 1);
  const field = (bytes: Uint8Array, length: number): Uint8Array =>
    Buffer.concat([bytes, Buffer.alloc(length)]).subarray(0, length);

  it.each([
    [32, 32],
    [32, 48],
    [48, 48],
    [48, 32],
    [64, 48],
    [64, 32],
    [1, 32],
  ])('takes a digest of %i bytes in a field of %i: padded, or cut as launchers cut it', (bytes, length) => {
    const given = digest.subarray(0, bytes);
    expect(compareWithField(given, field(given, length), 'FIELD')).toEqual({ result: 'bound' });
  });

  it.each([
    ['another digest', digest.subarray(0, 32), field(digest.with(31, 0), 32)],
    ['a field that goes on', digest.subarray(0, 32), digest.subarray(0, 48)],
    ['a longer value that is no digest, cut', digest.subarray(0, 33), digest.subarray(0, 32)],
    ['a field that nobody filled in', digest.subarray(0, 32), new Uint8Array(32)],
    ['no digest in a field that nobody filled in', new Uint8Array(), new Uint8Array(32)],
  ])('sees %s', (_what, given, carried) => {
    expect(compareWithField(given, carried, 'FIELD')).toMatchObject({ result: 'mismatch' });
  });
});
