import type { Attester } from '../attester.ts';
import type { TsmReporter } from '../tsm/tsm-report.ts';

/** Arm CCA. Evidence: `{token}`, the CBOR of the realm management monitor as an array of bytes. */
export function createCcaAttester(reporter: TsmReporter): Attester {
  return {
    tee: 'cca',
    reportDataBytes: 64,
    async evidence(reportData) {
      const { outblob } = await reporter.report({ provider: 'arm_cca_guest', reportData });
      return { token: [...outblob] };
    },
    async bindInitData() {
      return {
        result: 'unsupported',
        reason: 'the realm personalization value is not compared with init data yet',
      };
    },
  };
}
