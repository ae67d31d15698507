import { closest, distance } from 'fastest-levenshtein';

/** The candidate that was probably meant: two letters differ (swapped ones count twice), or a third of a long word. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const candidate = closest(word, candidates);
  const length = Math.max(word.length, candidate.length);
  return distance(word, candidate) <= Math.max(2, length / 3) ? candidate : undefined;
}
