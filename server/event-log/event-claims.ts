import { hash } from 'node:crypto';
import { toBase64, toHex } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import type { EventLog, EventRecord } from './event-log.ts';
import { type EventType, eventTypeOf } from './event-types.ts';

/**
 * The log as policies see it, `uefi_event_logs`, under the names of upstream: one entry a record, in their order.
 * `digest_matches_event` says whether every digest is that of `event`, and so whether `event` and `details` are proven once
 * the digests are; firmware measures images and tables that are not in the log, and then it is false. An event that does
 * not have the form of its type has a `details_error` in place of its `details`.
 */
export function eventLogClaims(log: EventLog): readonly JsonObject[] {
  return log.records.map(entryOf);
}

function entryOf(record: EventRecord): JsonObject {
  const type = eventTypeOf(record.type);
  const digests = record.digests.map(({ algorithm, digest }) => ({ algorithm, hex: toHex(digest) }));
  return {
    ...detailsOf(record, type),
    digest_matches_event: digests.every(
      ({ algorithm, hex }) => hash(algorithm.hash, record.event, 'hex') === hex,
    ),
    digests: digests.map(({ algorithm, hex }) => ({ alg: algorithm.name, digest: hex })),
    event: toBase64(record.event),
    index: record.index,
    type_name: type.name,
  };
}

function detailsOf({ event }: EventRecord, { readDetails }: EventType): JsonObject {
  const details = readDetails === undefined ? {} : readDetails(event);
  return details === undefined ? { details_error: 'EVENT_MALFORMED' } : { details };
}
