import { describe, expect, it } from 'vitest';
import { eventLogClaims } from '../../../server/event-log/event-claims.ts';
import { parseEventLog } from '../../../server/event-log/event-log.ts';
import { eventTypeOf } from '../../../server/event-log/event-types.ts';
import { type FakeLog, fakeAaelRecord, fakeEventLog } from '../../fakes/event-log-bytes.ts';

const claims = (log: FakeLog): ReturnType<typeof eventLogClaims> =>
  eventLogClaims(parseEventLog(fakeEventLog(log)));

describe('eventLogClaims', () => {
  it('shows a record under the names of upstream', () => {
    expect(
      claims({ algorithms: ['sha1', 'sm3'], records: [{ index: 2, type: 0x8000_0007, event: 'abc' }] }),
    ).toEqual([
      {
        details: { string: 'abc' },
        digest_matches_event: true,
        digests: [
          { alg: 'SHA-1', digest: 'a9993e364706816aba3e25717850c26c9cd0d89d' },
          { alg: 'SM3', digest: '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0' },
        ],
        event: 'YWJj',
        index: 2,
        type_name: 'EV_EFI_ACTION',
      },
    ]);
  });

  it('says when the event is not what was hashed', () => {
    const [entry] = claims({ records: [{ digest: Buffer.alloc(48, 1) }] });
    expect(entry).toMatchObject({ details: {}, digest_matches_event: false });
  });

  it('wants every digest to be that of the event', () => {
    const bytes = fakeEventLog({ algorithms: ['sha256', 'sha384'], records: [{ event: 'x' }] });
    // The last byte of the second digest, before a size and one byte of event.
    bytes[bytes.byteLength - 6]! ^= 1;
    expect(eventLogClaims(parseEventLog(bytes))[0]?.['digest_matches_event']).toBe(false);
  });

  it('shows an event that is not of the form of its type without details', () => {
    const [entry, next] = claims({
      records: [
        { type: 5, event: Uint8Array.of(0xff) },
        { type: 5, event: 'ok' },
      ],
    });
    expect(entry).toEqual({
      details_error: 'EVENT_MALFORMED',
      digest_matches_event: true,
      digests: [expect.anything()],
      event: '/w==',
      index: 1,
      type_name: 'EV_ACTION',
    });
    expect(next).toMatchObject({ details: { string: 'ok' } });
  });

  it('shows types that it does not know, without details', () => {
    const [entry] = claims({ records: [{ type: 0x8000_000d, event: 'x' }] });
    expect(entry).toMatchObject({ details: {}, type_name: 'EV_UNKNOWN(0x8000000d)', event: 'eA==' });
  });

  it('shows entries of the attestation agent', () => {
    const [entry] = claims({ records: [fakeAaelRecord('coco.com op {"a":1}')] });
    expect(entry).toMatchObject({
      index: 4,
      type_name: 'EV_EVENT_TAG',
      digest_matches_event: true,
      details: { unicode_name: 'AAEL', data: { domain: 'coco.com', operation: 'op', content: { a: 1 } } },
    });
  });
});

describe('eventTypeOf', () => {
  it.each([
    [0x0, 'EV_PREBOOT_CERT'],
    [0x1, 'EV_POST_CODE'],
    [0x2, 'EV_UNUSED'],
    [0x3, 'EV_NO_ACTION'],
    [0x4, 'EV_SEPARATOR'],
    [0x5, 'EV_ACTION'],
    [0x6, 'EV_EVENT_TAG'],
    [0x7, 'EV_S_CRTM_CONTENTS'],
    [0x8, 'EV_S_CRTM_VERSION'],
    [0x9, 'EV_CPU_MICROCODE'],
    [0xa, 'EV_PLATFORM_CONFIG_FLAGS'],
    [0xb, 'EV_TABLE_OF_DEVICES'],
    [0xc, 'EV_COMPACT_HASH'],
    [0xd, 'EV_IPL'],
    [0xe, 'EV_IPL_PARTITION_DATA'],
    [0xf, 'EV_NONHOST_CODE'],
    [0x10, 'EV_NONHOST_CONFIG'],
    [0x11, 'EV_NONHOST_INFO'],
    [0x12, 'EV_OMIT_BOOT_DEVICE_EVENTS'],
    [0x13, 'EV_UNKNOWN(0x13)'],
    [0x8000_0000, 'EV_EFI_EVENT_BASE'],
    [0x8000_0001, 'EV_EFI_VARIABLE_DRIVER_CONFIG'],
    [0x8000_0002, 'EV_EFI_VARIABLE_BOOT'],
    [0x8000_0003, 'EV_EFI_BOOT_SERVICES_APPLICATION'],
    [0x8000_0004, 'EV_EFI_BOOT_SERVICES_DRIVER'],
    [0x8000_0005, 'EV_EFI_RUNTIME_SERVICES_DRIVER'],
    [0x8000_0006, 'EV_EFI_GPT_EVENT'],
    [0x8000_0007, 'EV_EFI_ACTION'],
    [0x8000_0008, 'EV_EFI_PLATFORM_FIRMWARE_BLOB'],
    [0x8000_0009, 'EV_EFI_HANDOFF_TABLES'],
    [0x8000_000a, 'EV_EFI_PLATFORM_FIRMWARE_BLOB2'],
    [0x8000_000b, 'EV_EFI_HANDOFF_TABLES2'],
    [0x8000_000c, 'EV_EFI_VARIABLE_BOOT2'],
    [0x8000_0010, 'EV_EFI_HCRTM_EVENT'],
    [0x8000_00e0, 'EV_EFI_VARIABLE_AUTHORITY'],
    [0x8000_00e1, 'EV_EFI_SPDM_FIRMWARE_BLOB'],
    [0x8000_00e2, 'EV_EFI_SPDM_FIRMWARE_CONFIG'],
    [0xffff_ffff, 'EV_UNKNOWN(0xffffffff)'],
  ])('names %i %s', (type, name) => {
    expect(eventTypeOf(type).name).toBe(name);
  });
});
