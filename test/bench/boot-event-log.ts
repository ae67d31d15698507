import { createHash } from 'node:crypto';
import {
  type FakeRecord,
  fakeDevicePath,
  fakeEventLog,
  fakeImageLoad,
  fakeRegister,
  fakeTaggedEvent,
  fakeVariable,
} from '../fakes/event-log-bytes.ts';
import { filled } from '../fakes/quote-bytes.ts';

/** A CCEL as a boot leaves it, and the registers that it replays to. */
export interface BootLog {
  readonly bytes: Uint8Array;
  /** RTMR 0 to 3. */
  readonly registers: readonly Uint8Array[];
}

const GLOBAL_VARIABLE = '61dfe48bca93d211aa0d00e098032b8c';
const SIGNATURE_DATABASE = 'cbb219d73a3d9645a3bcdad00e67656f';
const KERNEL = fakeDevicePath([4, 4, Buffer.from('\\EFI\\BOOT\\BOOTX64.EFI\0', 'utf16le').toString('hex')]);
const COMMAND_LINE = 'root=/dev/vda1 ro console=hvc0 systemd.unified_cgroup_hierarchy=1 ';

/** What is measured again and again until the log is full: variables, images, tables, texts. `type` is the TCG's number. */
const KINDS: readonly ((turn: number) => FakeRecord)[] = [
  (turn) => ({
    index: 1,
    type: 0x8000_0001,
    event: fakeVariable(SIGNATURE_DATABASE, `db${turn}`, filled(900, turn & 0xff)),
  }),
  (turn) => ({
    index: 1,
    type: 0x8000_0002,
    event: fakeVariable(GLOBAL_VARIABLE, `Boot${turn}`, filled(120, turn & 0xff)),
  }),
  () => ({ index: 2, type: 0x8000_0003, event: fakeImageLoad(KERNEL) }),
  () => ({ index: 2, type: 0x8000_0007, event: 'Calling EFI Application from Boot Option' }),
  (turn) => ({ index: 3, type: 0xd, event: `grub_cmd: linux ${COMMAND_LINE.repeat(3)}${turn}\0` }),
  (turn) => ({
    index: 3,
    type: 6,
    event: fakeTaggedEvent(0x8f3b_22ec, `${COMMAND_LINE}${turn}`),
  }),
  () => ({ index: 3, type: 4, event: filled(4, 0) }),
];

/** A log of so many bytes, records to its end. */
export function bootLog(byteLength: number): BootLog {
  const records: FakeRecord[] = [];
  const sizeWith = (record: FakeRecord): number => fakeEventLog({ records: [...records, record] }).byteLength;
  for (let turn = 0; ; turn++) {
    const record = KINDS[turn % KINDS.length]!(turn);
    if (sizeWith(record) > byteLength) break;
    records.push(record);
  }
  const used = fakeEventLog({ records }).byteLength;
  return {
    bytes: fakeEventLog({ records, padding: [byteLength - used, 0xff] }),
    registers: [1, 2, 3, 4].map((register) =>
      fakeRegister(
        'sha384',
        records.filter(({ index }) => index === register).map(({ event = '' }) => digestOf(event)),
      ),
    ),
  };
}

function digestOf(event: Uint8Array | string): Uint8Array {
  return createHash('sha384').update(event).digest();
}
