import { createCipheriv, createHash, type KeyObject, randomBytes } from 'node:crypto';

/*
 * A PKCS#12 container around an RSA key, in DER: by hand, so that what reads it is not what made it. Its key bag is encrypted
 * as OpenSSL does it now (PBES2), or as Alibaba Cloud still does it (SHA-1 and 3DES).
 */
export function pkcs12(key: KeyObject, password: string, cipher: 'pbes2' | 'legacy' = 'pbes2'): Buffer {
  const bag =
    cipher === 'pbes2'
      ? key.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: password })
      : legacy(key.export({ type: 'pkcs8', format: 'der' }), password);
  const SHROUDED_KEY_BAG = '060b2a864886f70d010c0a0102';
  const contents = sequence(sequence(hex(SHROUDED_KEY_BAG), tagged(0, bag)));
  const safe = sequence(certificates(), data(contents));
  return sequence(hex('020103'), data(safe));
}

const DATA = '06092a864886f70d010701';
const ENCRYPTED_DATA = '06092a864886f70d010706';

/** Content that no reader of the key can decrypt, as the certificates of real ones are for OpenSSL 3. */
function certificates(): Buffer {
  const rc2 = sequence(hex('060a2a864886f70d010c0106'), sequence(octets(randomBytes(8)), hex('02020800')));
  const encrypted = sequence(hex(DATA), rc2, Buffer.concat([hex('8010'), randomBytes(16)]));
  return sequence(hex(ENCRYPTED_DATA), tagged(0, sequence(hex('020100'), encrypted)));
}

/** pbeWithSHAAnd3-KeyTripleDES-CBC, RFC 7292, appendices B and C. */
function legacy(pkcs8: Buffer, password: string): Buffer {
  const salt = randomBytes(8);
  const iterations = 2048;
  const key = derive(password, salt, iterations, 1, 24);
  const cipher = createCipheriv('des-ede3-cbc', key, derive(password, salt, iterations, 2, 8));
  const algorithm = sequence(hex('060a2a864886f70d010c0103'), sequence(octets(salt), hex('02020800')));
  return sequence(algorithm, octets(Buffer.concat([cipher.update(pkcs8), cipher.final()])));
}

function derive(password: string, salt: Buffer, iterations: number, id: number, length: number): Buffer {
  const repeated = (bytes: Buffer): Buffer => Buffer.alloc(64 * Math.ceil(bytes.length / 64), bytes);
  const block = Buffer.concat([repeated(salt), repeated(Buffer.from(`${password}\0`, 'utf16le').swap16())]);
  const parts: Buffer[] = [];
  for (let made = 0; made < length; made += 20) {
    let digest = Buffer.concat([Buffer.alloc(64, id), block]);
    for (let round = 0; round < iterations; round++) digest = createHash('sha1').update(digest).digest();
    parts.push(digest);
    addToEach(block, repeated(digest).subarray(0, 64));
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** I_j = (I_j + B + 1) mod 2^512 */
function addToEach(block: Buffer, summand: Buffer): void {
  for (let start = 0; start < block.length; start += 64) {
    let carry = 1;
    for (let index = 63; index >= 0; index--) {
      const sum = block[start + index]! + summand[index]! + carry;
      block[start + index] = sum & 0xff;
      carry = sum >> 8;
    }
  }
}

function data(content: Buffer): Buffer {
  return sequence(hex(DATA), tagged(0, octets(content)));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

function octets(bytes: Buffer): Buffer {
  return element(0x04, bytes);
}

function tagged(number: number, content: Buffer): Buffer {
  return element(0xa0 | number, content);
}

function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const header = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
