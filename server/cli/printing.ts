import type { Json } from '../claims/claims.ts';

/** What a terminal would obey rather than show: control characters, and those that reverse the reading direction. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Text from elsewhere, claims of a guest for example, on one line and harmless to a terminal. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, escapeOf);
}

/** JSON for machines and for reading; escapes what a terminal would obey. */
export function printableJson(value: Json): string {
  return JSON.stringify(value, undefined, 2).replaceAll(UNPRINTABLE, (character) =>
    character === '\n' ? character : escapeOf(character),
  );
}

/** Columns as wide as their widest cell, two spaces between, nothing behind the last. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_title, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** A JSON value in the cell of a table: texts bare, the rest as JSON, long ones cut. */
export function cell(value: Json | undefined, maximum = 60): string {
  if (value === undefined || value === null) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= maximum ? text : `${text.slice(0, maximum - 1)}…`;
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
