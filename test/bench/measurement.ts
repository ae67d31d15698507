import { availableParallelism, cpus, totalmem } from 'node:os';

/** One line of the report. What was not measured is absent. */
export interface Measurement {
  readonly name: string;
  readonly perSecond?: number;
  /** Milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** Processor time of the server, its threads included, for each request, in microseconds. */
  readonly serverMicroseconds?: number;
  readonly value?: { readonly amount: number; readonly unit: string };
  /** What the number is to be, and whether it is. Numbers of a noisy machine: a run does not fail for them. */
  readonly target?: { readonly text: string; readonly met: boolean };
  readonly note?: string;
}

export interface BenchReport {
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryMebibytes: number;
    readonly node: string;
    readonly loadAverageBefore: number;
  };
  readonly measurements: readonly Measurement[];
}

const COLUMNS = ['', '/s', 'p50 ms', 'p99 ms', 'server µs', 'value', 'target', ''] as const;

export function describeMachine(loadAverageBefore: number): BenchReport['machine'] {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryMebibytes: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    loadAverageBefore,
  };
}

/** The measurements as a table of aligned columns. */
export function renderTable(measurements: readonly Measurement[]): string {
  const rows = [COLUMNS, ...measurements.map(cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}

/** The values below which these shares of the samples lie. */
export function percentiles(samples: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = samples.toSorted((left, right) => left - right);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function isText(column: number): boolean {
  return column === 0 || column >= COLUMNS.indexOf('target');
}

function cells(one: Measurement): readonly string[] {
  const { target, value } = one;
  return [
    one.name,
    one.perSecond === undefined ? '' : Math.round(one.perSecond).toLocaleString('en'),
    milliseconds(one.p50),
    milliseconds(one.p99),
    one.serverMicroseconds === undefined ? '' : Math.round(one.serverMicroseconds).toLocaleString('en'),
    value === undefined
      ? ''
      : `${value.amount.toLocaleString('en', { maximumFractionDigits: 1 })} ${value.unit}`,
    target === undefined ? '' : `${target.text}: ${target.met ? 'met' : 'MISSED'}`,
    one.note ?? '',
  ];
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}
