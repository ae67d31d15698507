import { describe, expect, it } from 'vitest';
import { assertProtocolVersion } from '../../../server/kbs/protocol-version.ts';

describe('assertProtocolVersion', () => {
  it.each(['0.4.0', '0.4.0+x', '0.4.0+build.7'])('accepts %s', (version) => {
    expect(() => {
      assertProtocolVersion(version);
    }).not.toThrow();
  });

  it.each([
    '0.4.1',
    '0.3.0',
    '0.5.0',
    '1.4.0',
    '0.4.0-rc.1',
    '0.4',
    'v0.4.0',
    '=0.4.0',
    ' 0.4.0',
    '0.4.0 ',
    '0.4.0\n',
    '00.4.0',
    '',
    'x',
  ])('refuses "%s" in words that clients look for', (version) => {
    expect(() => {
      assertProtocolVersion(version);
    }).toThrow(
      expect.objectContaining({
        code: 'PROTOCOL_VERSION_MISMATCH',
        message: expect.stringMatching(
          /^KBS Client Protocol Version Mismatch: expected =0\.4\.0, got '[ -~]*'$/,
        ) as string,
      }) as Error,
    );
  });
});
