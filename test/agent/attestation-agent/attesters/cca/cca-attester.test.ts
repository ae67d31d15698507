import { describe, expect, it } from 'vitest';
import { createCcaAttester } from '../../../../../agent/attestation-agent/attesters/cca/cca-attester.ts';
import { createTsmReporter } from '../../../../../agent/attestation-agent/attesters/tsm/tsm-report.ts';
import { evidenceFor } from '../../../../../agent/attestation-agent/evidence-provider.ts';
import { fakeConfigfsTsm } from '../../../../fakes/fake-configfs-tsm.ts';

describe('createCcaAttester', () => {
  const { fileSystem } = fakeConfigfsTsm({
    provider: 'arm_cca_guest',
    report: (challenge) => ({ outblob: Buffer.concat([Buffer.of(0xd9, 0x01, 0x8f), challenge]) }),
  });
  const attester = createCcaAttester(createTsmReporter({ fileSystem }));

  it('sends the token for a challenge padded to 64 bytes, as an array of bytes', async () => {
    const { token } = await evidenceFor(attester, new Uint8Array(48).fill(7));
    expect(token).toEqual([
      0xd9,
      0x01,
      0x8f,
      ...Array.from({ length: 64 }, (_, index) => (index < 48 ? 7 : 0)),
    ]);
  });

  it('takes 64 bytes of report data and no more', async () => {
    await expect(evidenceFor(attester, new Uint8Array(65))).rejects.toMatchObject({
      code: 'REPORT_DATA_TOO_LONG',
    });
  });

  it('refuses the reports of another provider', async () => {
    const tdx = createTsmReporter({ fileSystem: fakeConfigfsTsm({ provider: 'tdx_guest' }).fileSystem });
    await expect(evidenceFor(createCcaAttester(tdx), new Uint8Array(64))).rejects.toMatchObject({
      code: 'TSM_PROVIDER_MISMATCH',
    });
  });

  it('does not claim to have bound init data', async () => {
    expect(await attester.bindInitData(new Uint8Array(48))).toMatchObject({ result: 'unsupported' });
  });
});
