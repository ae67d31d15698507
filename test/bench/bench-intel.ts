import { parseQuote } from '../../server/intel-dcap/quote.ts';
import { joinDocument } from '../../server/intel-dcap/signed-document.ts';
import { createFakeIntel, type FakeQuoteOptions, pemOf } from '../fakes/fake-intel.ts';
import { createFakeIntelPlatform, type FakeIntelPlatform } from '../fakes/fake-intel-platform.ts';

/** A fleet of Intel's, whose machines are of one kind. */
export interface BenchIntel {
  /** PEM. */
  readonly root: string;
  /** Everything that Intel signed about its machines, as it is imported. */
  readonly collateral: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** A quote of the next machine. Each machine has one attestation key and one report of its quoting enclave, as real ones do. */
  quote(tee: 'sgx' | 'tdx', options: FakeQuoteOptions): Promise<Uint8Array>;
}

const MACHINES = 16;
const A_DAY = 24 * 3600 * 1000;

export async function createBenchIntel(at: Date): Promise<BenchIntel> {
  const intel = await createFakeIntel();
  const machines = await Promise.all(
    Array.from({ length: MACHINES }, async () => await createFakeIntelPlatform(intel)),
  );
  const enclaves = {
    sgx: await Promise.all(machines.map(async (machine) => await quotingEnclave(machine, 'sgx'))),
    tdx: await Promise.all(machines.map(async (machine) => await quotingEnclave(machine, 'tdx'))),
  };
  let next = 0;
  return {
    root: pemOf([intel.authority('root').der]),
    collateral: await collateralOf(machines[0]!, at),
    async quote(tee, options) {
      const turn = next++ % MACHINES;
      return await machines[turn]!.quote(tee, { ...options, signatureData: enclaves[tee][turn]! });
    },
  };
}

async function quotingEnclave(
  machine: FakeIntelPlatform,
  tee: 'sgx' | 'tdx',
): Promise<NonNullable<FakeQuoteOptions['signatureData']>> {
  const { qeReport, qeReportSignature } = parseQuote(await machine.quote(tee)).signatureData;
  return { qeReport: qeReport.bytes, qeReportSignature };
}

async function collateralOf(machine: FakeIntelPlatform, at: Date): Promise<BenchIntel['collateral']> {
  const [from, until] = [new Date(at.getTime() - A_DAY), new Date(at.getTime() + 29 * A_DAY)];
  const dates = { issueDate: secondsOf(from), nextUpdate: secondsOf(until) };
  const lists = { thisUpdate: from, nextUpdate: until };
  const overrides = { tcbInfo: dates, qeIdentity: dates, pckList: lists, rootList: lists };
  const sets = [await machine.collateral('sgx', overrides), await machine.collateral('tdx', overrides)];
  const pieces = sets.flatMap(({ tcbInfo, qeIdentity, pckCrl, rootCrl }) => [
    joinDocument(tcbInfo),
    joinDocument(qeIdentity),
    pckCrl!.der,
    rootCrl!,
  ]);
  return pieces.map((bytes, index) => ({ name: `intel-${index}`, bytes }));
}

/** RFC 3339, as Intel writes it. */
function secondsOf(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
