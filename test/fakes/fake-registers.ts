import { createHash } from 'node:crypto';
import type { RegisterHash } from '../../agent/attestation-agent/event-log/aael-event.ts';
import type { MeasurementRegisters } from '../../agent/attestation-agent/event-log/measurement-registers.ts';

/** Registers in memory, which outlive the agent as those of hardware do. */
export interface FakeRegisters extends MeasurementRegisters {
  readonly values: ReadonlyMap<number, Uint8Array>;
}

const BYTES = { sha256: 32, sha384: 48, sha512: 64, sm3: 32 } as const;

/** PCRs 0 to 23 stand for themselves. */
export function fakeRegisters(hash: RegisterHash = 'sha384'): FakeRegisters {
  const values = new Map<number, Uint8Array>();
  const valueOf = (register: number): Uint8Array => values.get(register) ?? new Uint8Array(BYTES[hash]);
  return {
    values,
    hash,
    registerOf: (pcr) => pcr,
    read: async (register) => valueOf(register),
    extend: async (register, digest) => {
      values.set(register, createHash(hash).update(valueOf(register)).update(digest).digest());
    },
  };
}
