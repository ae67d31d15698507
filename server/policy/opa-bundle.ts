import { gunzipSync } from 'node:zlib';
import { fromUtf8 } from '../bytes/encoding.ts';
import { PolicyError } from './policy.ts';

const BLOCK = 512;
const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;
const MODULE = '/policy.wasm';

/**
 * The WebAssembly module in a bundle that `opa build --target wasm` wrote: a gzipped tar (POSIX ustar) of a few
 * small files. Throws PolicyError POLICY_DOES_NOT_COMPILE when there is none.
 */
export function readPolicyModule(bundle: Uint8Array): Uint8Array {
  const tar = gunzipSync(bundle, { maxOutputLength: MAX_BUNDLE_BYTES });
  for (let offset = 0; offset + BLOCK <= tar.byteLength; ) {
    const header = tar.subarray(offset, offset + BLOCK);
    const size = Number.parseInt(textField(header, 124, 12), 8); // size, octal
    if (Number.isNaN(size)) break; // two empty blocks end the archive
    const start = offset + BLOCK;
    if (textField(header, 0, 100) === MODULE) return new Uint8Array(tar.subarray(start, start + size));
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new PolicyError('POLICY_DOES_NOT_COMPILE', `expected ${MODULE} in the compiler's bundle, got none`);
}

function textField(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return fromUtf8(end === -1 ? field : field.subarray(0, end));
}
