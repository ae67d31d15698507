import { RE2JS, RE2JSException } from 're2js';
import { type HostBuiltins, onText } from './host-builtin.ts';

/** Regular expressions beyond those that compile into the module. RE2 syntax, linear time. */
export const regexBuiltins: HostBuiltins = {
  'regex.find_n': (pattern, text, limit) => {
    if (typeof pattern !== 'string' || typeof text !== 'string' || !Number.isInteger(limit)) return undefined;
    return findAll(pattern, text)
      ?.slice(0, Number(limit) < 0 ? undefined : Number(limit))
      .map(({ groups: [whole] }) => whole ?? '');
  },
  'regex.replace': onText((text, pattern = '', template = '') => {
    const matches = findAll(pattern, text);
    if (matches === undefined) return undefined;
    let replaced = '';
    let rest = 0;
    for (const match of matches) {
      replaced += text.slice(rest, match.start) + expand(template, match);
      rest = match.end;
    }
    return replaced + text.slice(rest);
  }),
};

interface Match {
  readonly start: number;
  readonly end: number;
  /** The whole match, then each group; undefined for a group that took no part. */
  readonly groups: readonly (string | undefined)[];
  readonly named: ReadonlyMap<string, number>;
}

/** Every match from left to right as Go finds them: none that is empty right behind another. */
function findAll(pattern: string, text: string): readonly Match[] | undefined {
  const expression = compile(pattern);
  if (expression === undefined) return undefined;
  const named = new Map(Object.entries(expression.namedGroups()));
  const matcher = expression.matcher(text);
  const matches: Match[] = [];
  while (matcher.find()) {
    const [start, end] = [matcher.start(), matcher.end()];
    if (start === end && matches.at(-1)?.end === start) continue;
    const count = matcher.groupCount() + 1;
    const groups = Array.from({ length: count }, (_, index) => matcher.group(index) ?? undefined);
    matches.push({ start, end, groups, named });
  }
  return matches;
}

function compile(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException) return undefined;
    throw error;
  }
}

/** Go's Regexp.Expand: `$1`, `$name`, `${name}`; the longest name counts; `$$` is a dollar; unknown ones are empty. */
function expand(template: string, match: Match): string {
  return template.replaceAll(/\$(?:(\$)|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})/g, (_, dollar, bare, braced) => {
    if (dollar !== undefined) return '$';
    const name = String(bare ?? braced);
    const index = /^[0-9]+$/.test(name) ? Number(name) : match.named.get(name);
    return (index === undefined ? undefined : match.groups[index]) ?? '';
  });
}
