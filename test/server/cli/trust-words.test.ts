import { expect, it } from 'vitest';
import { describeToken, trustWords } from '../../../server/cli/trust-words.ts';

const AT = new Date('2026-11-24T10:00:00Z');

it.each([
  ['hardware', 2, 'genuine hardware and firmware, approved'],
  ['hardware', 97, 'hardware or firmware that is not recognized'],
  ['executables', 33, 'programs that are not recognized'],
  ['configuration', 36, 'parts of the configuration cannot be seen'],
  ['file-system', 0, 'no claim made'],
  ['sourced-data', -1, 'the verifier could not tell'],
  ['runtime-opaque', 99, 'the evidence failed a cryptographic check'],
  ['hardware', 5, 'affirming, by a value that has no name'],
  ['hardware', -33, 'warning, by a value that has no name'],
  ['hardware', 127, 'contraindicated, by a value that has no name'],
] as const)('%s %i: %s', (claim, value, words) => {
  expect(trustWords(claim, value)).toBe(words);
});

it('says since when a token is expired', () => {
  const claims = { exp: AT.getTime() / 1000 - 60, submods: {} };
  expect(describeToken(claims, AT)).toContain('2026-11-24T09:59:00.000Z (60 s ago)');
});

it('does not guess at a token of another form', () => {
  expect(describeToken({ submods: 'none' }, AT)).toContain('not those of an EAR token');
});

it('shows a time that is none as absent', () => {
  expect(describeToken({ iat: 1e300 }, AT)).toMatch(/^issued +-$/m);
});
