import { isIP } from 'node:net';
import { parse } from 'semver';
import { type HostBuiltin, type HostBuiltins, onText } from './host-builtin.ts';

/** Text, versions and addresses that OPA's WebAssembly target lacks. */
export const textBuiltins: HostBuiltins = {
  'semver.is_valid': (version) => typeof version === 'string' && readVersion(version) !== null,
  'semver.compare': onText((left, right = '') => {
    const [one, other] = [readVersion(left), readVersion(right)];
    return one === null || other === null ? undefined : one.compare(other);
  }),
  'net.cidr_is_valid': (cidr) => typeof cidr === 'string' && isCidr(cidr),
  'strings.any_prefix_match': anyMatch((text, prefix) => text.startsWith(prefix)),
  'strings.any_suffix_match': anyMatch((text, suffix) => text.endsWith(suffix)),
  'strings.count': onText((text, part = '') =>
    part === '' ? Array.from(text).length + 1 : text.split(part).length - 1,
  ),
};

/** Strict Semantic Versioning 2.0.0, with one `v` in front allowed, as OPA allows it. */
function readVersion(text: string): ReturnType<typeof parse> {
  return text === text.trim() ? parse(text) : null;
}

function isCidr(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  if (rest.length > 0 || address.includes('%') || !/^(?:0|[1-9][0-9]{0,2})$/.test(prefix)) return false;
  const family = isIP(address);
  return family !== 0 && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** Both sides are a string or a collection of strings. */
function anyMatch(matches: (text: string, affix: string) => boolean): HostBuiltin {
  return (texts, affixes) => {
    const [left, right] = [stringsOf(texts), stringsOf(affixes)];
    if (left === undefined || right === undefined) return undefined;
    return left.some((text) => right.some((affix) => matches(text, affix)));
  };
}

function stringsOf(value: unknown): readonly string[] | undefined {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const strings = values.filter((each) => typeof each === 'string');
  return strings.length === values.length ? strings : undefined;
}
