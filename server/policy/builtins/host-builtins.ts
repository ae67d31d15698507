import { cryptoBuiltins } from './crypto-builtins.ts';
import { encodingBuiltins } from './encoding-builtins.ts';
import type { HostBuiltins } from './host-builtin.ts';
import { jwtBuiltins } from './jwt-builtins.ts';
import { decodeVerifyBuiltin } from './jwt-decode-verify.ts';
import { regexBuiltins } from './regex-builtins.ts';
import { textBuiltins } from './text-builtins.ts';
import { nowBuiltin, timeBuiltins } from './time-builtins.ts';
import { uuidBuiltins } from './uuid-builtins.ts';

/** Every built-in that policies may use beyond what compiles into WebAssembly. `now` is the evaluation's time. */
export function createHostBuiltins(now: () => Date): HostBuiltins {
  return {
    ...cryptoBuiltins,
    ...encodingBuiltins,
    ...jwtBuiltins,
    ...regexBuiltins,
    ...textBuiltins,
    ...timeBuiltins,
    ...uuidBuiltins,
    'io.jwt.decode_verify': decodeVerifyBuiltin(now),
    'time.now_ns': nowBuiltin(now),
  };
}

export const HOST_BUILTIN_NAMES: ReadonlySet<string> = new Set(
  Object.keys(createHostBuiltins(() => new Date(0))),
);
