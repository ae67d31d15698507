import {
  sampleAttester,
  sampleDeviceAttester,
} from '../../agent/attestation-agent/attesters/sample/sample-attester.ts';
import type { EvidenceProvider, EvidenceSource } from '../../agent/attestation-agent/evidence-provider.ts';
import { createNodeDigester } from '../../agent/binding/node-digester.ts';
import type { Guest } from '../../agent/guest.ts';
import type { AttemptOptions } from '../../agent/http/attempts.ts';
import type { Server } from '../../agent/http/server.ts';
import { createTlsExchange } from '../../agent/http/tls-exchange.ts';
import { systemClock } from '../../server/clock.ts';

/** A guest whose TEE is the sample one. */
export function fakeGuest(
  options: Partial<Guest> & { readonly devices?: readonly EvidenceSource[]; readonly tee?: string } = {},
): Guest {
  const provider: EvidenceProvider = {
    ...sampleAttester,
    tee: options.tee ?? 'sample',
    devices: options.devices ?? [],
  };
  return {
    provider,
    initDataToml: undefined,
    teeKeyAlgorithm: 'ECDH-ES+A256KW-P256',
    digester: createNodeDigester(),
    clock: systemClock,
    skewSeconds: 60,
    ...options,
  };
}

export const sampleDevices: readonly EvidenceSource[] = [sampleDeviceAttester];

/** Attempts that do not make a test wait. */
export const QUICK: AttemptOptions = {
  deadlineMilliseconds: 10_000,
  attemptMilliseconds: 5_000,
  retries: 3,
  firstPauseMilliseconds: 1,
};

export function plainServer(url: string): Server {
  return { baseUrl: url, exchange: createTlsExchange(), userAgent: 'a guest under test' };
}
