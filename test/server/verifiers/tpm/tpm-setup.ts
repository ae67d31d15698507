import { createHash, type KeyObject } from 'node:crypto';
import { expect } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import { createTpmVerifier } from '../../../../server/verifiers/tpm/tpm-verifier.ts';
import { readTrustedAks } from '../../../../server/verifiers/tpm/trusted-aks.ts';
import type { ExpectedBinding } from '../../../../server/verifiers/verifier.ts';
import { type FakeKeyPair, type FakeQuoteOptions, fakeQuote } from '../../../fakes/tpm-quote.ts';

export const NOW = new Date('2026-06-01T00:00:00Z');

/** The evidence JSON of a guest with a TPM. */
export function tpmEvidence(ak: FakeKeyPair, options: FakeQuoteOptions = {}): Record<string, unknown> {
  const { message, signature, values } = fakeQuote(ak.privateKey, options);
  return {
    ak_public: spkiOf(ak.publicKey).toString('base64'),
    tpm_quote: {
      message: Buffer.from(message).toString('base64'),
      signature: Buffer.from(signature).toString('base64'),
      pcrs: values.map((value) => Buffer.from(value).toString('hex')),
    },
  };
}

export function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** What an operator writes into the list of trusted keys. */
export function digestOfKey(key: KeyObject): string {
  return createHash('sha256').update(spkiOf(key)).digest('hex');
}

type VerifierOptions = Parameters<typeof createTpmVerifier>[0];

export async function claimsOf(
  evidence: unknown,
  trusted: readonly string[],
  expected: Partial<ExpectedBinding> = {},
  options: Partial<VerifierOptions> = {},
): Promise<Claims> {
  const verifier = createTpmVerifier({
    trustedAks: readTrustedAks(trusted),
    anchors: [],
    activation: undefined,
    replayEventLog: undefined,
    ...options,
  });
  const binding = { reportData: undefined, initDataDigest: undefined, ...expected };
  const proven = await verifier.verify(evidence, binding, NOW);
  expect(proven).toHaveLength(1);
  expect(proven[0].class).toBe('cpu');
  return proven[0].claims;
}
