import { isUtf8 } from 'node:buffer';
import { fromUtf8 } from '../../bytes/encoding.ts';
import { eventLogClaims } from '../../event-log/event-claims.ts';
import { type EventLog, parseEventLog } from '../../event-log/event-log.ts';
import { EV_NO_ACTION } from '../../event-log/event-types.ts';
import { type RegisterValues, type ReplayAlgorithm, verifyReplay } from '../../event-log/replay.ts';
import type { ReplayEventLog } from './tpm-verifier.ts';

/** Registers of a dynamic launch hold ones until there is one (TCG PC Client Platform TPM Profile, "PCR Initial and Reset Values"). */
const DYNAMIC_PCRS = [17, 18, 19, 20, 21, 22] as const;
/** TCG_EfiStartupLocalityEvent (TCG PC Client Platform Firmware Profile): who started the TPM shows in PCR 0. */
const STARTUP_LOCALITY = 'StartupLocality\0';
const DIGEST_BYTES = { sha256: 32, sha384: 48, sha512: 64, sm3: 32 } as const;

/**
 * Replays a log against quoted PCRs. Each PCR that the log speaks of must be quoted and come out; what was extended without
 * being logged, as operating systems do with others, is no concern of the log.
 * Throws EventLogError, MalformedError.
 */
export const replayPcrEventLog: ReplayEventLog = (bytes, pcrs, algorithm) => {
  const log = parseEventLog(bytes);
  const logged = new Set(log.records.filter(({ type }) => type !== EV_NO_ACTION).map(({ index }) => index));
  const expected = new Map([...pcrs].filter(([index]) => logged.has(index)));
  verifyReplay(log, algorithm, expected, { initialValues: initialPcrValues(log, algorithm) });
  return { uefi_event_logs: eventLogClaims(log) };
};

/** What PCRs hold before the first record of a log, where that is not zeros. */
export function initialPcrValues(log: EventLog, algorithm: ReplayAlgorithm): RegisterValues {
  const size = DIGEST_BYTES[algorithm];
  const values = new Map<number, Uint8Array>(
    DYNAMIC_PCRS.map((index) => [index, new Uint8Array(size).fill(0xff)]),
  );
  const locality = startupLocality(log);
  if (locality !== undefined) {
    const first = new Uint8Array(size);
    first[size - 1] = locality;
    values.set(0, first);
  }
  return values;
}

function startupLocality({ records }: EventLog): number | undefined {
  const length = STARTUP_LOCALITY.length;
  const event = records.find(
    ({ type, index, event: bytes }) =>
      type === EV_NO_ACTION &&
      index === 0 &&
      bytes.byteLength === length + 1 &&
      isUtf8(bytes.subarray(0, length)) &&
      fromUtf8(bytes.subarray(0, length)) === STARTUP_LOCALITY,
  )?.event;
  return event?.[length];
}
