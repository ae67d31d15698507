import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type FakeRecord,
  fakeDevicePath,
  fakeEventLog,
  fakeImageLoad,
  fakeRegister,
  fakeTaggedEvent,
} from '../fakes/event-log-bytes.ts';
import type { FakeIntelSite } from '../fakes/fake-intel-site.ts';
import { appraised, replyTo } from '../harness/guest.ts';
import { tdxSource } from '../harness/hardware-sources.ts';
import { type IntelEstate, startIntelEstate } from '../harness/intel-estate.ts';
import type { RunningVerigo } from '../harness/serve-verigo.ts';

let estate: IntelEstate;
let site: FakeIntelSite;
let verigo: RunningVerigo;

beforeAll(async () => {
  estate = await startIntelEstate();
  ({ site, verigo } = estate);
});
afterAll(async () => {
  await estate[Symbol.asyncDispose]();
});

describe('the event log of a TD', () => {
  const kernel = fakeImageLoad(fakeDevicePath([4, 4, Buffer.from('kernel\0', 'utf16le').toString('hex')]));
  const parameters = fakeTaggedEvent(0xec22_3b8f, 'LOADED_IMAGE::LoadOptions\0');
  const records: readonly FakeRecord[] = [
    { index: 1, type: 4 },
    { index: 2, type: 0x8000_0003, event: kernel },
    { index: 3, type: 6, event: parameters },
  ];
  const digest = (event: Uint8Array): Uint8Array => createHash('sha384').update(event).digest();
  const rtmrs = [Buffer.alloc(4), kernel, parameters].map((event) => fakeRegister('sha384', [digest(event)]));
  const td = { rtmrs: [...rtmrs, new Uint8Array(48)] };

  test('that replays is in the token, and said to be verified', async () => {
    const { claims } = await appraised(
      verigo.url,
      tdxSource(site, { td, eventLog: fakeEventLog({ records }) }),
    );
    expect(claims).toMatchObject({ event_log_verified: true });
    expect(claims['uefi_event_logs']).toMatchObject([
      { index: 1, type_name: 'EV_SEPARATOR' },
      { index: 2, type_name: 'EV_EFI_BOOT_SERVICES_APPLICATION' },
      { index: 3, details: { string: 'LOADED_IMAGE::LoadOptions' }, digest_matches_event: true },
    ]);
    expect((await appraised(verigo.url, tdxSource(site))).claims).toMatchObject({
      event_log_verified: false,
    });
  });

  test('makes the kernel and its command line known, where they are expected', async () => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    await estate.administrator.setReferenceValues([
      ['rtmr_1', [hex(rtmrs[1]!)]],
      ['rtmr_2', [hex(rtmrs[2]!)]],
      ['tdvfkernel', [hex(digest(kernel))]],
      ['tdvfkernelparams', [hex(digest(parameters))]],
    ]);
    const executables = async (eventLog?: Uint8Array): Promise<number | undefined> => {
      const source = tdxSource(site, { td, ...(eventLog && { eventLog }) });
      const { appraisal } = await appraised(verigo.url, source);
      return appraisal['ear.trustworthiness-vector']['executables'];
    };
    expect(await executables(fakeEventLog({ records }))).toBe(3);
    expect(await executables()).toBe(4); // the registers alone
  });

  const altered: readonly (readonly [
    what: string,
    code: string,
    status: number,
    log: Uint8Array,
    detail: string,
  ])[] = [
    [
      'with another digest',
      'EVENT_LOG_REPLAY_MISMATCH',
      401,
      fakeEventLog({ records: records.with(1, { ...records[1]!, event: 'other' }) }),
      'register 2:',
    ],
    [
      'without its last record',
      'EVENT_LOG_REPLAY_MISMATCH',
      401,
      fakeEventLog({ records: records.slice(0, 2) }),
      'register 3:',
    ],
    [
      'with one record more',
      'EVENT_LOG_REPLAY_MISMATCH',
      401,
      fakeEventLog({ records: [...records, { index: 4 }] }),
      'register 4:',
    ],
    [
      'of a register that a TD does not have',
      'EVENT_LOG_REGISTER_UNKNOWN',
      401,
      fakeEventLog({ records: [...records, { index: 5 }] }),
      '5',
    ],
    [
      'with an event that overlaps the end',
      'TRUNCATED',
      400,
      fakeEventLog({ records: [...records, { eventSize: 0xffff_fff0 }] }),
      '',
    ],
    [
      'with padding that is none',
      'EVENT_LOG_TRAILING_BYTES',
      400,
      fakeEventLog({ records, padding: [64, 0], behind: Uint8Array.of(1) }),
      '',
    ],
    ['of nothing', 'EVENT_LOG_HEADER_MALFORMED', 400, new Uint8Array(64), ''],
  ];
  test.each(altered)('%s is refused: %s', async (_what, code, status, eventLog, detail) => {
    const reply = await replyTo(verigo.url, tdxSource(site, { td, eventLog }));
    expect({ status: reply.status, code: reply.code }, reply.text).toEqual({ status, code });
    expect(reply.detail).toContain(detail);
  });
});
