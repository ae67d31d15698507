/**
 * JSON text of what a JSON reader gave, integers beyond 2^53 (bigint) by their exact digits: evidence is signed over
 * them, and passing it on must not round them. The depth is bounded by the reader.
 */
export function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  return `{${Object.entries(value)
    .map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`)
    .join(',')}}`;
}
