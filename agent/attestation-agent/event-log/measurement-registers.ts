import type { RegisterHash } from './aael-event.ts';

/** Registers that a guest can extend while it runs, and nobody can set back. */
export interface MeasurementRegisters {
  readonly hash: RegisterHash;
  /**
   * The register that stands for a PCR, as logs number it. Throws RuntimeMeasurementError REGISTER_UNKNOWN,
   * REGISTER_RESERVED.
   */
  registerOf(pcr: number): number;
  /** Throws RuntimeMeasurementError REGISTER_UNAVAILABLE. */
  read(register: number): Promise<Uint8Array>;
  /** new = H(old ‖ digest). Throws RuntimeMeasurementError REGISTER_UNAVAILABLE, REGISTER_FAILED. */
  extend(register: number, digest: Uint8Array): Promise<void>;
}
