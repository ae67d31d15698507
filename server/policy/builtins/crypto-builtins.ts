import { createHash, createHmac } from 'node:crypto';
import { bytesEqual } from '../../bytes/byte-strings.ts';
import { toUtf8 } from '../../bytes/encoding.ts';
import { type HostBuiltin, type HostBuiltins, onText } from './host-builtin.ts';

/** Hashes and keyed hashes of text, as lower-case hex. MD5 and SHA-1 are there because Rego has them. */
export const cryptoBuiltins: HostBuiltins = {
  'crypto.md5': hashBy('md5'),
  'crypto.sha1': hashBy('sha1'),
  'crypto.sha256': hashBy('sha256'),
  'crypto.hmac.md5': hmacBy('md5'),
  'crypto.hmac.sha1': hmacBy('sha1'),
  'crypto.hmac.sha256': hmacBy('sha256'),
  'crypto.hmac.sha512': hmacBy('sha512'),
  'crypto.hmac.equal': onText((left, right = '') => bytesEqual(toUtf8(left), toUtf8(right))),
};

function hashBy(algorithm: string): HostBuiltin {
  return onText((text) => createHash(algorithm).update(text, 'utf8').digest('hex'));
}

function hmacBy(algorithm: string): HostBuiltin {
  return onText((text, key = '') => createHmac(algorithm, key).update(text, 'utf8').digest('hex'));
}
