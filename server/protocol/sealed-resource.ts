import { z } from 'zod';

const base64Url = z.string().regex(/^[A-Za-z0-9_-]*$/);

/** A resource sealed to a TEE's key: flattened JWE (RFC 7516, section 7.2.2), all members base64url. */
export const sealedResourceSchema = z.object({
  protected: base64Url,
  encrypted_key: base64Url,
  iv: base64Url,
  ciphertext: base64Url,
  tag: base64Url,
});
export type SealedResource = Readonly<z.output<typeof sealedResourceSchema>>;
