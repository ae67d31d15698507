import { toUtf8 } from '../../bytes/encoding.ts';
import type { Json } from '../../claims/claims.ts';

/**
 * A built-in of Rego that WebAssembly calls out for. Pure: the same arguments, the same result; no network, no state.
 * Arguments come from JSON: sets as arrays, integers beyond 2^53 rounded. `undefined` makes the expression undefined, which
 * is what OPA does when a built-in fails.
 */
export type HostBuiltin = (...args: readonly unknown[]) => Json | ExactJson | undefined;
export type HostBuiltins = Readonly<Record<string, HostBuiltin>>;

/** JSON text that the policy's runtime reads itself, so that integers beyond 2^53 stay exact. */
export type ExactJson = ArrayBuffer;

export function exactJson(text: string): ExactJson {
  return new Uint8Array(toUtf8(text)).buffer;
}

/** A built-in over text only; anything else makes it undefined. */
export function onText(
  implementation: (...args: readonly [string, ...string[]]) => Json | ExactJson | undefined,
): HostBuiltin {
  return (...args) => {
    const [first, ...rest] = args.filter((arg) => typeof arg === 'string');
    if (first === undefined || rest.length + 1 !== args.length) return undefined;
    return implementation(first, ...rest);
  };
}
