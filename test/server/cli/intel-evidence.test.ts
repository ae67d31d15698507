import { beforeAll, describe, expect, it } from 'vitest';
import { inspectSgxEvidence } from '../../../server/cli/sgx-evidence.ts';
import { inspectTdxEvidence } from '../../../server/cli/tdx-evidence.ts';
import { type FakeIntel, sharedFakeIntel } from '../../fakes/fake-intel.ts';

describe.each([
  ['inspectTdxEvidence', inspectTdxEvidence, 5, 'TD_QUOTE_EXPECTED'],
  ['inspectSgxEvidence', inspectSgxEvidence, 3, 'SGX_QUOTE_EXPECTED'],
] as const)('%s', (_name, inspect, version, code) => {
  let intel: FakeIntel;

  beforeAll(async () => {
    intel = await sharedFakeIntel();
  });

  it('reads the same from JSON and from the bytes of a quote, proven or not', async () => {
    const bytes = await intel.quote({ version, quoteSigner: (await intel.pck()).privateKey });
    const document = { quote: Buffer.from(bytes).toString('base64') };
    const claims = inspect({ form: 'json', document });
    expect(claims).toMatchObject({ report_data: '00'.repeat(64) });
    expect(inspect({ form: 'bytes', bytes })).toEqual(claims);
  });

  it('refuses the other kind of quote', async () => {
    const bytes = await intel.quote({ version: version === 3 ? 4 : 3 });
    expect(() => inspect({ form: 'bytes', bytes })).toThrow(expect.objectContaining({ code }));
  });

  it('refuses other evidence', () => {
    expect(() => inspect({ form: 'json', document: { svn: '1' } })).toThrow(
      expect.objectContaining({ code: 'EVIDENCE_MALFORMED' }),
    );
    expect(() => inspect({ form: 'bytes', bytes: new Uint8Array(48) })).toThrow(
      expect.objectContaining({ code: 'QUOTE_VERSION_UNSUPPORTED' }),
    );
  });
});
