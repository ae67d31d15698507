import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type OpenDevice,
  withDevice,
} from '../../../../../agent/attestation-agent/attesters/snp/device-call.ts';
import {
  createSevGuestDevice,
  getExtendedReport,
} from '../../../../../agent/attestation-agent/attesters/snp/sev-guest-device.ts';
import { fakeCertificateTable, GUIDS } from '../../../../fakes/snp-certificate-table.ts';
import { encodeFakeReport, fakeReport, inField } from '../../../../fakes/snp-report.ts';

const reportData = Uint8Array.from({ length: 64 }, (_, index) => index);
const table = fakeCertificateTable([[GUIDS.VCEK, Buffer.from('the VCEK')]]);
const EIO = 5;
const EINVAL = 22;
const ENOTTY = 25;

interface FakeDevice {
  readonly errno?: number;
  readonly firmwareError?: number;
  readonly status?: number;
  readonly size?: number;
}

/** The driver as Linux has it (drivers/virt/coco/sev-guest/sev-guest.c): what it checks, what it reads and writes. */
function fakeDevice({ errno = 0, firmwareError = 0, status = 0, size = 0x4a0 }: FakeDevice = {}): OpenDevice {
  const memory = new Map<bigint, Buffer>();
  return {
    addressOf(bytes) {
      const address = BigInt(memory.size + 1) << 32n;
      memory.set(address, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return address;
    },
    async call(request, argument) {
      const ioctl = Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
      if (request !== 0xc0205302 || ioctl.byteLength !== 32) return ENOTTY;
      if (ioctl[0] !== 1) return EINVAL;
      ioctl.writeUInt32LE(firmwareError, 24);
      if (errno !== 0) return errno;
      const input = memory.get(ioctl.readBigUInt64LE(8))!;
      const output = memory.get(ioctl.readBigUInt64LE(16))!;
      const certificates = memory.get(input.readBigUInt64LE(96))!;
      const length = input.readUInt32LE(104);
      if (length > 0x4000 || length % 4096 !== 0 || certificates.byteLength < length) return EINVAL;
      if (output.byteLength !== 4000 || input.subarray(68, 96).some((byte) => byte !== 0)) return EINVAL;
      certificates.set(table);
      output.writeUInt32LE(status, 0);
      output.writeUInt32LE(size, 4);
      const data = inField(64, input.subarray(0, 64));
      output.set(encodeFakeReport({ ...fakeReport('Milan', 3), report_data: data }, 'Milan'), 32);
      return 0;
    },
  };
}

describe('getExtendedReport', () => {
  it('brings report and certificates', async () => {
    const { report, certificateTable } = await getExtendedReport(fakeDevice(), reportData);
    const expected = encodeFakeReport({ ...fakeReport('Milan', 3), report_data: [...reportData] }, 'Milan');
    expect(report).toEqual(expected);
    expect(certificateTable?.subarray(0, table.byteLength)).toEqual(Uint8Array.from(table));
  });

  it.each<[string, FakeDevice]>([
    ['an errno', { errno: EIO, firmwareError: 0x16 }],
    ['a status', { status: 0x16 }],
    ['another size', { size: 0x4a1 }],
    ['no report', { size: 0 }],
  ])('refuses %s', async (_what, device) => {
    await expect(getExtendedReport(fakeDevice(device), reportData)).rejects.toMatchObject({
      code: 'DEVICE_FAILED',
    });
  });

  it('says what the firmware said', async () => {
    const device = fakeDevice({ errno: EIO, firmwareError: 22 });
    await expect(getExtendedReport(device, reportData)).rejects.toThrow('errno 5, firmware error 22');
  });
});

describe('withDevice', () => {
  it('calls the kernel: how many bytes of a file are left, and where they are to go', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'verigo-device-'));
    try {
      const path = join(folder, 'file');
      await writeFile(path, 'hello');
      const FIONREAD = 0x541b;
      const left = Buffer.alloc(4);
      await withDevice(path, async ({ call, addressOf }) => {
        expect(await call(FIONREAD, left)).toBe(0);
        expect(await call(0xc0205302, new Uint8Array(32))).toBe(ENOTTY);
        expect(addressOf(left)).toBe(addressOf(left));
        expect(addressOf(left.subarray(1)) - addressOf(left)).toBe(1n);
      });
      expect(left.readUInt32LE()).toBe(5);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says that there is no device, or that it is another', async () => {
    await expect(createSevGuestDevice('/nowhere/sev-guest')(reportData)).rejects.toMatchObject({
      code: 'DEVICE_UNAVAILABLE',
    });
    await expect(createSevGuestDevice('/dev/null')(reportData)).rejects.toMatchObject({
      code: 'DEVICE_FAILED',
    });
  });
});
