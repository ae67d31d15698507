import { describe, expect, it } from 'vitest';
import { sampleDeviceVerifier, sampleVerifier } from '../../../../server/verifiers/sample/sample-verifier.ts';

const at = new Date('2026-01-01T00:00:00Z');
const unbound = { reportData: undefined, initDataDigest: undefined };
const bound = { reportData: Uint8Array.of(1, 2, 3), initDataDigest: undefined };
const evidence = { svn: '1', report_data: 'AQID' };

describe('sampleVerifier', () => {
  it('claims what the sample TEE always claims', async () => {
    expect(await sampleVerifier.verify(evidence, bound, at)).toEqual([
      {
        class: 'cpu',
        claims: {
          debug: false,
          launch_digest: 'abcde',
          platform_version: { major: 1, minor: 4 },
          report_data: 'AQID',
          svn: '1',
        },
      },
    ]);
  });

  it('echoes init data only when the caller gave some', async () => {
    const [proven] = await sampleVerifier.verify(
      { svn: '1' },
      { ...unbound, initDataDigest: Uint8Array.of(255) },
      at,
    );
    expect(proven.claims['init_data']).toBe('/w==');
  });

  it.each([
    ['no evidence', null, bound, 'SAMPLE_EVIDENCE_INVALID'],
    ['no svn', { report_data: 'AQID' }, bound, 'SAMPLE_EVIDENCE_INVALID'],
    ['an svn that is a number', { svn: 1 }, bound, 'SAMPLE_EVIDENCE_INVALID'],
    ['report data that is not base64', { svn: '1', report_data: '?' }, bound, 'ENCODING_MALFORMED'],
    ['other report data', { svn: '1', report_data: 'AQIE' }, bound, 'SAMPLE_REPORT_DATA_MISMATCH'],
    ['padded report data', { svn: '1', report_data: 'AQIDAA==' }, bound, 'SAMPLE_REPORT_DATA_MISMATCH'],
    ['no report data where some is expected', { svn: '1' }, bound, 'SAMPLE_REPORT_DATA_MISMATCH'],
  ])('refuses %s', async (_what, given, expected, code) => {
    await expect(sampleVerifier.verify(given, expected, at)).rejects.toMatchObject({ code });
    await expect(sampleDeviceVerifier.verify(given, expected, at)).rejects.toMatchObject({ code });
  });
});

describe('sampleDeviceVerifier', () => {
  it('is a GPU', async () => {
    expect(await sampleDeviceVerifier.verify(evidence, bound, at)).toEqual([
      { class: 'gpu', claims: { svn: '1', report_data: 'AQID' } },
    ]);
  });
});
