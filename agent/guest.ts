import type { EvidenceProvider } from './attestation-agent/evidence-provider.ts';
import type { Digester } from './binding/binding-hash.ts';
import type { TeeKeyAlgorithm } from './tee-key/tee-key.ts';

/** Who attests, and how: what every way to a token needs to know of this guest. */
export interface Guest {
  readonly provider: EvidenceProvider;
  /** The text of the init data that the host launched this guest with, when it is known. */
  readonly initDataToml: string | undefined;
  readonly teeKeyAlgorithm: TeeKeyAlgorithm;
  readonly digester: Digester;
  readonly clock: () => Date;
  /** By how much a server's clock and ours may differ, in seconds. */
  readonly skewSeconds: number;
}
