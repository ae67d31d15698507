import { createHash } from 'node:crypto';
import type { MeasurementRegisters } from '../../agent/attestation-agent/event-log/measurement-registers.ts';
import { createRtmrRegisters } from '../../agent/attestation-agent/event-log/rtmr-registers.ts';

/** The four run-time registers of a trust domain, in memory; logs number them from 1. */
export interface FakeRtmrs {
  readonly registers: MeasurementRegisters;
  values(): readonly Uint8Array[];
  set(register: number, value: Uint8Array): void;
}

export function createFakeRtmrs(): FakeRtmrs {
  const values: Uint8Array[] = Array.from({ length: 4 }, () => new Uint8Array(48));
  return {
    values: () => [...values],
    set: (register, value) => {
      values[register - 1] = value;
    },
    registers: {
      // The numbers are those of the kernel's registers.
      ...createRtmrRegisters(),
      read: async (register) => values[register - 1]!,
      extend: async (register, digest) => {
        values[register - 1] = createHash('sha384')
          .update(values[register - 1]!)
          .update(digest)
          .digest();
      },
    },
  };
}
