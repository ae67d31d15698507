import type { GetResource } from '../../kbs-client/resource-servers.ts';
import { openContent } from '../content-cipher.ts';
import { createDecrypter, type KmsDrivers } from '../kms/kms.ts';
import { type AnnotationPacket, packetMalformed, parseAnnotationPacket } from './annotation-packet.ts';
import { keyUnwrapOutput, parseKeyUnwrapInput, type UnwrappedKeyForm } from './key-provider-message.ts';

export interface UnwrapKeyOptions {
  readonly getResource: GetResource;
  readonly drivers: KmsDrivers;
  readonly form: UnwrappedKeyForm;
}

/** Input and output of the key provider protocol, JSON. */
export type UnwrapKey = (input: Uint8Array) => Promise<Uint8Array>;

/**
 * Unwraps the key of an encrypted image's layer. The key that it is wrapped with is a resource, or stays in a service that
 * decrypts. Throws KeyUnwrapError, ContentCipherError, KmsError, and what GetResource and the provider's driver throw.
 */
export function createUnwrapKey(options: UnwrapKeyOptions): UnwrapKey {
  return async (input) => {
    const packet = parseAnnotationPacket(parseKeyUnwrapInput(input));
    const key = await unwrap(packet, options);
    const output = keyUnwrapOutput(key, options.form);
    key.fill(0);
    return output;
  };
}

async function unwrap(
  packet: AnnotationPacket,
  { getResource, drivers }: UnwrapKeyOptions,
): Promise<Uint8Array> {
  const { provider, kid, wrapped_data: ciphertext } = packet;
  if (provider.toLowerCase() === 'kbs') return await unwrapWithResource(packet, getResource);
  const decrypter = await createDecrypter(drivers, provider, packet.provider_settings);
  return await decrypter.decrypt(ciphertext, kid, packet.annotations);
}

async function unwrapWithResource(packet: AnnotationPacket, getResource: GetResource): Promise<Uint8Array> {
  const { kid, iv, wrap_type: wrapType, wrapped_data: ciphertext } = packet;
  if (iv === undefined || iv === null || wrapType === undefined || wrapType === null) {
    throw packetMalformed("'iv' and 'wrap_type' beside the provider kbs");
  }
  const key = await getResource(kid);
  try {
    return openContent({ wrapType, iv, ciphertext }, key);
  } finally {
    key.fill(0);
  }
}
