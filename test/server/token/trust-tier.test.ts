import { describe, expect, it } from 'vitest';
import { statusOf, tierOf } from '../../../server/token/trust-tier.ts';

describe('tierOf', () => {
  it.each([
    [-1, 'none'],
    [0, 'none'],
    [1, 'none'],
    [2, 'affirming'],
    [31, 'affirming'],
    [-2, 'affirming'],
    [-32, 'affirming'],
    [32, 'warning'],
    [95, 'warning'],
    [-33, 'warning'],
    [-96, 'warning'],
    [96, 'contraindicated'],
    [127, 'contraindicated'],
    [-97, 'contraindicated'],
    [-128, 'contraindicated'],
    [Number.NaN, 'contraindicated'],
  ])('takes %d for %s', (claim, tier) => {
    expect(tierOf(claim)).toBe(tier);
  });
});

describe('statusOf', () => {
  it.each([
    [[], 'none'],
    [[0, 0], 'none'],
    [[0, 2], 'affirming'],
    [[2, 33, 3], 'warning'],
    [[2, 33, 97], 'contraindicated'],
  ])('takes the worst of %j: %s', (claims, status) => {
    expect(statusOf(claims)).toBe(status);
  });
});
