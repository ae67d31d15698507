import type { EvidenceSource } from '../evidence-provider.ts';
import type { InitDataBinding } from '../init-data-binding.ts';

/** The TEE that this guest runs in. */
export interface Attester extends EvidenceSource {
  /**
   * Binds the digest of the init data to this guest where its TEE has a field for it: compared with what the host put
   * there at launch, or, with a TPM, measured once.
   */
  bindInitData(digest: Uint8Array): Promise<InitDataBinding>;
}
