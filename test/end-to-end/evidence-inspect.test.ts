import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeAaelRecord, fakeEventLog } from '../fakes/event-log-bytes.ts';
import { createFakeAmd } from '../fakes/fake-amd.ts';
import { createFakeAzure } from '../fakes/fake-azure.ts';
import { sharedFakeIntel } from '../fakes/fake-intel.ts';
import { createFakeAk, SHA256_BANK } from '../fakes/tpm-quote.ts';
import { base64 } from '../harness/hardware-sources.ts';
import { type CommandRun, runCommand } from '../harness/run-command.ts';
import { digestOfKey, tpmEvidence } from '../server/verifiers/tpm/tpm-setup.ts';

const ak = createFakeAk();
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'verigo-inspect-'));
  const [intel, amd] = [await sharedFakeIntel(), await createFakeAmd({}, ['Milan'])];
  const azure = createFakeAzure();
  const [td, enclave] = [await intel.quote({ version: 5 }), await intel.quote({ version: 3 })];
  const log = fakeEventLog({ records: [fakeAaelRecord('github.com/containers Pull image')] });
  const quote = {
    selection: [{ algorithm: SHA256_BANK, indices: [4, 23] }],
    values: [new Uint8Array(32).fill(0xaa), new Uint8Array(32).fill(0xbb)],
  };
  const files: Readonly<Record<string, Uint8Array | object>> = {
    'td.bin': td,
    'td.json': { quote: base64(td), cc_eventlog: base64(log) },
    'enclave.bin': enclave,
    'azure-snp.json': await azure.snpEvidence(amd, { version: 0, quote }),
    'azure-tdx.json': await azure.tdxEvidence({ tdQuote: () => td }),
    'tpm.json': tpmEvidence(ak, quote),
    'ccel.bin': log,
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content instanceof Uint8Array ? content : JSON.stringify(content));
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function inspect(...args: readonly string[]): Promise<CommandRun> {
  const run = await runCommand(folder, ['evidence', 'inspect', ...args]);
  expect(run.code, run.stderr).toBe(0);
  expect(run.stderr).toContain('nothing of this has been verified');
  return run;
}

test.concurrent.each<[file: string, tee: string, claims: object]>([
  ['td.bin', 'tdx', { quote: { type: '0300', body: { mr_td: '7d'.repeat(48) } } }],
  ['td.json', 'tdx', { td_attributes: { debug: false }, uefi_event_logs: [{ index: 4 }] }],
  ['enclave.bin', 'sgx', { body: { mr_enclave: 'ae'.repeat(32) }, attributes: { debug: false } }],
  [
    'azure-snp.json',
    'az-snp-vtpm',
    { evidence_version: 0, product: 'Milan', tpm: { pcr04: 'aa'.repeat(32), pcr23: 'bb'.repeat(32) } },
  ],
  [
    'azure-tdx.json',
    'az-tdx-vtpm',
    {
      evidence_version: 2,
      xfam: { sse: true },
      hcl_variable_data: { 'vm-configuration': { 'secure-boot': true } },
    },
  ],
  ['tpm.json', 'tpm', { ak_sha256: digestOfKey(ak.publicKey), pcr23: 'bb'.repeat(32) }],
  ['ccel.bin', 'event-log', { uefi_event_logs: [{ details: { data: { operation: 'Pull' } } }] }],
])('%s is recognized as %s, for machines', async (file, tee, claims) => {
  expect((await inspect(file, '--json')).json()).toMatchObject({ tee, verified: false, claims });
});

test.concurrent('for people: a line a value, what is nested by its path', async () => {
  const { stdout } = await inspect('azure-tdx.json');
  const lines = stdout.split('\n');
  for (const line of [
    /^TEE +az-tdx-vtpm$/,
    /^quote\.body\.mr_td +(7d){48}$/,
    /^tpm\.pcr11 +(0c){32}$/,
    /^tpm_quote\.selection\.sha256 +\[0,1,2,/,
    /^hcl_variable_data\.keys\.0\.kid +HCLAkPub$/,
    /^hcl_variable_data\.vm-configuration\.secure-boot +true$/,
  ]) {
    expect(
      lines.filter((each) => line.test(each)),
      String(line),
    ).toHaveLength(1);
  }
});

test.concurrent('what is named is not guessed, and what it is not is said', async () => {
  const run = await runCommand(folder, ['evidence', 'inspect', 'td.bin', '--tee', 'sgx']);
  expect(run).toMatchObject({ code: 2, stdout: '' });
  expect(run.stderr).toMatch(/sgx: expected an SGX quote/);
});
