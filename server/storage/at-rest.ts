/** Encrypts what must not lie in the database in the clear: AES-256-GCM under data keys that the master key wraps. */
export interface AtRest {
  /** `context` names the row and is authenticated: a sealed value moved to another row does not open. */
  seal(plaintext: Uint8Array, context: string): Promise<Uint8Array>;
  open(sealed: Uint8Array, context: string): Promise<Uint8Array>;
}
