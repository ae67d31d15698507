import { describe, expect, it } from 'vitest';
import { toPolicyInput } from '../../../server/attestation/policy-input.ts';

const options = {
  tee: 'tdx',
  runtimeDataClaims: { nonce: 'n', 'additional-evidence': 'e' },
  initDataClaims: null,
  verbose: true,
} as const;

describe('toPolicyInput', () => {
  it('moves report data and init data beside the claims of the TEE, with what they are digests of', () => {
    expect(toPolicyInput({ quote: {}, report_data: 'aa', init_data: 'bb' }, options)).toEqual({
      tdx: { quote: {} },
      report_data: 'aa',
      runtime_data_claims: options.runtimeDataClaims,
      init_data: 'bb',
      init_data_claims: null,
    });
  });

  it('adds nothing for a TEE that has neither', () => {
    expect(toPolicyInput({ a: 1 }, options)).toEqual({ tdx: { a: 1 } });
  });

  it('leaves out the evidence of additional devices when told to be brief', () => {
    const brief = toPolicyInput({ report_data: 'aa' }, { ...options, verbose: false });
    expect(brief['runtime_data_claims']).toEqual({ nonce: 'n' });
    expect(
      toPolicyInput({ report_data: '' }, { ...options, runtimeDataClaims: null, verbose: false })[
        'runtime_data_claims'
      ],
    ).toBeNull();
  });
});
