import { CommandError } from './command-error.ts';

const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
]);
const DURATION = /^([1-9][0-9]{0,8})([smhd])$/;
const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** Seconds of `90s`, `30m`, `2h`, `30d`. Throws CommandError USAGE. */
export function parseDuration(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const seconds = UNITS.get(unit ?? '');
  if (count === undefined || seconds === undefined) {
    throw new CommandError('USAGE', 'expected a duration such as 90s, 30m, 2h or 30d, got something else');
  }
  return Number(count) * seconds;
}

/** A time to come, as ISO 8601 (`2027-01-31`, `2027-01-31T12:00:00Z`) or as a duration from now. Throws CommandError USAGE. */
export function parseExpiry(text: string, at: Date): Date {
  const time = TIME.test(text) ? new Date(text) : new Date(at.getTime() + parseDuration(text) * 1000);
  if (Number.isNaN(time.getTime()) || time <= at) {
    throw new CommandError('USAGE', 'expected a time in the future, got another');
  }
  return time;
}
