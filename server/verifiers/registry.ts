import type { Tee } from '../evidence/tee.ts';
import type { Verifier } from './verifier.ts';

/** The verifiers that this server runs. A TEE without one is refused by name. */
export interface VerifierRegistry {
  find(tee: Tee): Verifier | undefined;
  /** Whether evidence of this TEE proves nothing about hardware: its tokens say so. */
  isSimulated(tee: Tee): boolean;
  enabled(): readonly Tee[];
}

const SIMULATED: ReadonlySet<Tee> = new Set<Tee>(['sample', 'sampledevice']);

export function createVerifierRegistry(
  verifiers: Readonly<Partial<Record<Tee, Verifier>>>,
): VerifierRegistry {
  const byTee = new Map(Object.entries(verifiers));
  return {
    find: (tee) => byTee.get(tee),
    isSimulated: (tee) => SIMULATED.has(tee),
    enabled: () => [...byTee.keys()] as Tee[],
  };
}
