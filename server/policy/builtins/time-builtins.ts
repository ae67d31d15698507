import { type ExactJson, exactJson, type HostBuiltin, type HostBuiltins, onText } from './host-builtin.ts';

/*
 * Instants are nanoseconds since 1970, today some 2^60, and an argument reaches us as a JSON number, exact to 512 ns. So
 * arguments count in whole microseconds; results are exact. Only UTC: a time zone does not type-check.
 */

const NS_PER_SECOND = 1_000_000_000n;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})$/;
const DURATION_PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w|y)/gy;
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;

/** Go's units, and the days, weeks and years that OPA adds. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', 1_000_000n],
  ['s', NS_PER_SECOND],
  ['m', 60n * NS_PER_SECOND],
  ['h', 3_600n * NS_PER_SECOND],
  ['d', 86_400n * NS_PER_SECOND],
  ['w', 7n * 86_400n * NS_PER_SECOND],
  ['y', 365n * 86_400n * NS_PER_SECOND],
]);

/** Time arithmetic in UTC. What time it is now is the evaluation's business: see `nowBuiltin`. */
export const timeBuiltins: HostBuiltins = {
  'time.parse_rfc3339_ns': onText(parseRfc3339),
  'time.parse_duration_ns': onText(parseDuration),
  'time.date': onInstant((at) => [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate()]),
  'time.clock': onInstant((at) => [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]),
  'time.weekday': onInstant((at) => WEEKDAYS[at.getUTCDay()]),
  'time.add_date': addDate,
  'time.diff': difference,
};

/** `time.now_ns` for one evaluation: the same instant each time it is asked. */
export function nowBuiltin(at: () => Date): HostBuiltin {
  return () => exactJson(`${at().getTime()}000000`);
}

function onInstant(implementation: (at: Date) => ReturnType<HostBuiltin>): HostBuiltin {
  return (ns) => {
    const microseconds = toMicroseconds(ns);
    return microseconds === undefined ? undefined : implementation(toDate(microseconds));
  };
}

function toMicroseconds(ns: unknown): number | undefined {
  return typeof ns === 'number' && Math.abs(ns) <= Number(MAX_INT64) ? Math.round(ns / 1000) : undefined;
}

function toDate(microseconds: number): Date {
  return new Date(Math.floor(microseconds / 1000));
}

function addDate(...[ns, years, months, days]: readonly unknown[]): ExactJson | undefined {
  const microseconds = toMicroseconds(ns);
  if (microseconds === undefined) return undefined;
  const steps = [years, months, days].filter((step) => typeof step === 'number').filter(Number.isSafeInteger);
  const [year, month, day] = steps;
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const at = toDate(microseconds);
  const withinMillisecond = microseconds - at.getTime() * 1000;
  at.setUTCFullYear(at.getUTCFullYear() + year, at.getUTCMonth() + month, at.getUTCDate() + day);
  if (Number.isNaN(at.getTime())) return undefined;
  return int64(BigInt(at.getTime()) * 1_000_000n + BigInt(withinMillisecond) * 1000n);
}

/** Years, months, days, hours, minutes, seconds between two instants, each within its range. */
function difference(...[one, other]: readonly unknown[]): readonly number[] | undefined {
  const [left, right] = [toMicroseconds(one), toMicroseconds(other)];
  if (left === undefined || right === undefined) return undefined;
  const start = toDate(Math.min(left, right));
  const from = fieldsOf(start);
  const to = fieldsOf(toDate(Math.max(left, right)));
  const daysInMonth = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 0)).getUTCDate();
  const ranges = [0, 12, daysInMonth, 24, 60, 60];
  let borrowed = 0;
  return ranges.reduceRight<number[]>((fields, range, index) => {
    const field = (to[index] ?? 0) - (from[index] ?? 0) - borrowed;
    borrowed = field < 0 && index > 0 ? 1 : 0;
    return [field + borrowed * range, ...fields];
  }, []);
}

function fieldsOf(at: Date): readonly number[] {
  return [
    at.getUTCFullYear(),
    at.getUTCMonth(),
    at.getUTCDate(),
    at.getUTCHours(),
    at.getUTCMinutes(),
    at.getUTCSeconds(),
  ];
}

/** RFC 3339, section 5.6, as Go reads it: capital T and Z, no leap second, nine digits of a fraction count. */
function parseRfc3339(text: string): ExactJson | undefined {
  const [, clockTime = '', fraction = '', offset = ''] = RFC3339.exec(text) ?? [];
  const at = new Date(`${clockTime}Z`);
  const seconds = offsetSeconds(offset);
  // The constructor takes the 31st of any month and hour 24; what it makes of them reads differently.
  if (Number.isNaN(at.getTime()) || !at.toISOString().startsWith(clockTime) || seconds === undefined)
    return undefined;
  const nanoseconds = BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return int64(BigInt(at.getTime() / 1000 - seconds) * NS_PER_SECOND + nanoseconds);
}

/** Of `Z` or e.g. `-05:30`, eastwards. */
function offsetSeconds(offset: string): number | undefined {
  if (offset === 'Z') return 0;
  const [hours, minutes] = [Number(offset.slice(1, 3)), Number(offset.slice(4))];
  if (hours > 23 || minutes > 59) return undefined;
  return (hours * 60 + minutes) * 60 * (offset.startsWith('-') ? -1 : 1);
}

/** Go's durations, e.g. `-1h30m`, `1.5s`, with `d`, `w` and `y`. */
function parseDuration(text: string): ExactJson | undefined {
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  const amount = text.slice(sign.length);
  if (amount === '0') return exactJson('0');
  const parts = [...amount.matchAll(DURATION_PART)];
  if (amount === '' || parts.map(([part]) => part).join('') !== amount) return undefined;
  const total = parts.reduce((sum, [, digits = '', unit = '']) => sum + toNanoseconds(digits, unit), 0n);
  return int64(sign === '-' ? -total : total);
}

/** Decimal digits times the unit, cut to whole nanoseconds. */
function toNanoseconds(digits: string, unit: string): bigint {
  const [whole = '', fraction = ''] = digits.split('.');
  return (BigInt(whole + fraction) * (UNITS.get(unit) ?? 0n)) / 10n ** BigInt(fraction.length);
}

function int64(value: bigint): ExactJson | undefined {
  return value < MIN_INT64 || value > MAX_INT64 ? undefined : exactJson(String(value));
}
