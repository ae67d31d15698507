import { createCipheriv, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAnnotationPacket } from '../../../../agent/data-hub/key-unwrap/annotation-packet.ts';
import {
  parseKeyUnwrapInput,
  type UnwrappedKeyForm,
} from '../../../../agent/data-hub/key-unwrap/key-provider-message.ts';
import { createUnwrapKey } from '../../../../agent/data-hub/key-unwrap/unwrap-key.ts';
import { parseResourceUri } from '../../../../agent/resource-uri.ts';
import { CodedError } from '../../../../server/errors/coded-error.ts';

const KEK = randomBytes(32);
const IV = randomBytes(12);
const PRIVATE_OPTIONS = '{"symkey":"c2VjcmV0"}';

/** The packet of version 1, as upstream's key provider writes it. */
function packet(changes: object = {}): object {
  const cipher = createCipheriv('aes-256-gcm', KEK, IV);
  const wrapped = [cipher.update(PRIVATE_OPTIONS), cipher.final(), cipher.getAuthTag()];
  return {
    kid: 'kbs:///default/image-kek/one',
    wrapped_data: Buffer.concat(wrapped).toString('base64'),
    iv: IV.toString('base64'),
    wrap_type: 'A256GCM',
    ...changes,
  };
}

const V2 = { version: '0.1.0', provider: 'kbs', provider_settings: {}, annotations: {} };

function input(annotation: unknown, changes: object = {}): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      op: 'keyunwrap',
      keywrapparams: { ec: null, optsdata: null },
      keyunwrapparams: { dc: { Parameters: { 'attestation-agent': ['Y2Nfa2JjOjpodHRwOi8v'] } }, annotation },
      ...changes,
    }),
  );
}

function base64(document: unknown): string {
  return Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)).toString('base64');
}

async function unwrap(
  message: Uint8Array,
  form: UnwrappedKeyForm = 'integers',
  kek: Buffer = KEK,
): Promise<unknown> {
  const unwrapKey = createUnwrapKey({
    getResource: async (uri) => {
      expect(typeof uri === 'string' && parseResourceUri(uri).segments.at(-1)).toBe('one');
      return Uint8Array.from(kek);
    },
    drivers: new Map([
      [
        'turning',
        { createDecrypter: async () => ({ decrypt: async (bytes) => bytes.map((byte) => byte ^ 0xff) }) },
      ],
    ]),
    form,
  });
  return JSON.parse(Buffer.from(await unwrapKey(message)).toString());
}

describe('what is unwrapped', () => {
  test.each([
    ['version 1', packet()],
    ['version 2', packet(V2)],
    ['version 2 with some of its members', packet({ provider: 'KBS' })],
  ])('a packet of %s', async (_what, document) => {
    expect(await unwrap(input(base64(document)))).toEqual({
      keyunwrapresults: { optsdata: [...Buffer.from(PRIVATE_OPTIONS)] },
    });
  });

  test('under A256CTR, which takes an IV of 16 bytes', async () => {
    const iv = randomBytes(16);
    const wrapped = createCipheriv('aes-256-ctr', KEK, iv).update(PRIVATE_OPTIONS).toString('base64');
    const document = packet({ wrapped_data: wrapped, iv: iv.toString('base64'), wrap_type: 'A256CTR' });
    expect(await unwrap(input(base64(document)), 'base64')).toEqual({
      keyunwrapresults: { optsdata: base64(PRIVATE_OPTIONS) },
    });
  });

  test('as Go reads it: base64 (C26)', async () => {
    expect(await unwrap(input(base64(packet())), 'base64')).toEqual({
      keyunwrapresults: { optsdata: base64(PRIVATE_OPTIONS) },
    });
  });

  test('an annotation that came as a list of integers (C26)', async () => {
    const annotation = [...Buffer.from(JSON.stringify(packet()))];
    expect(await unwrap(input(annotation))).toEqual({
      keyunwrapresults: { optsdata: [...Buffer.from(PRIVATE_OPTIONS)] },
    });
  });

  test('by a service that decrypts: without IV and cipher', async () => {
    const wrapped = Buffer.from([0xff, 0xfe]).toString('base64');
    const document = { kid: 'key', wrapped_data: wrapped, ...V2, provider: 'turning' };
    expect(await unwrap(input(base64(document)))).toEqual({ keyunwrapresults: { optsdata: [0, 1] } });
  });
});

describe('what is refused', () => {
  test.each<[string, string, Uint8Array]>([
    ['no JSON', 'KEY_UNWRAP_INPUT_MALFORMED', Buffer.from('{')],
    ['no text', 'KEY_UNWRAP_INPUT_MALFORMED', Buffer.from([0xff])],
    ['too much', 'KEY_UNWRAP_INPUT_MALFORMED', Buffer.alloc((1 << 20) + 1, ' ')],
    ['no operation', 'KEY_UNWRAP_INPUT_MALFORMED', input(base64(packet()), { op: undefined })],
    ['wrapping (C26)', 'KEY_UNWRAP_OPERATION_UNSUPPORTED', input(base64(packet()), { op: 'keywrap' })],
    [
      'an operation in other letters',
      'KEY_UNWRAP_OPERATION_UNSUPPORTED',
      input(base64(packet()), { op: 'KeyUnwrap' }),
    ],
    ['no annotation', 'KEY_UNWRAP_INPUT_MALFORMED', input(undefined)],
    ['an annotation that is no base64', 'KEY_UNWRAP_INPUT_MALFORMED', input('{}')],
    ['integers that are no bytes', 'KEY_UNWRAP_INPUT_MALFORMED', input([256])],
    ['a packet that is no JSON', 'ANNOTATION_PACKET_MALFORMED', input(base64('x'))],
    [
      'a packet of another version',
      'ANNOTATION_PACKET_VERSION_UNSUPPORTED',
      input(base64(packet({ version: '1' }))),
    ],
    ['a packet without kid', 'ANNOTATION_PACKET_MALFORMED', input(base64(packet({ kid: undefined })))],
    ['a packet without IV', 'ANNOTATION_PACKET_MALFORMED', input(base64(packet({ iv: undefined })))],
    ['a packet without cipher', 'ANNOTATION_PACKET_MALFORMED', input(base64(packet({ wrap_type: null })))],
    [
      'a packet with another cipher',
      'ANNOTATION_PACKET_MALFORMED',
      input(base64(packet({ wrap_type: 'A256KW' }))),
    ],
    ['a packet with more', 'ANNOTATION_PACKET_MALFORMED', input(base64(packet({ more: 1 })))],
    ['an unknown provider', 'PROVIDER_UNKNOWN', input(base64(packet({ provider: 'ehsm' })))],
    ['an IV of another length', 'CONTENT_IV_LENGTH_WRONG', input(base64(packet({ iv: 'AAAA' })))],
    ['another key', 'CONTENT_TAMPERED', input(base64(packet({ wrapped_data: 'A'.repeat(64) })))],
  ])('%s: %s', async (_what, code, message) => {
    await expect(unwrap(message)).rejects.toMatchObject({ code });
  });

  test('a resource that is no key', async () => {
    await expect(
      unwrap(input(base64(packet())), 'integers', Buffer.from('passphrase')),
    ).rejects.toMatchObject({
      code: 'CONTENT_KEY_LENGTH_WRONG',
    });
  });
});

test('no bytes make a reader throw anything but our errors', () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(bytes, (message) => {
      for (const read of [parseKeyUnwrapInput, parseAnnotationPacket]) {
        try {
          read(message);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }
    }),
  );
});
