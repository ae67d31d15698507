import { setTimeout as delay } from 'node:timers/promises';
import { AttesterError } from '../attester-error.ts';
import type { TpmTask, TpmTools } from '../tpm/tpm-tools.ts';
import { type HclReport, hasUserData, readHclReport } from './hcl-report.ts';

/** NV indexes of the paravisor (Microsoft, "Guest attestation for confidential VMs"). */
const REPORT_INDEX = '0x01400001';
const USER_DATA_INDEX = '0x01400002';
const USER_DATA_BYTES = 64;
/** The paravisor makes a new report after the user data has changed, which takes it some time. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MILLISECONDS = 100;

export interface StoredHclReport extends HclReport {
  /** As the NV index holds it. */
  readonly bytes: Uint8Array;
}

/** The report as it stands. Throws AttesterError TPM_…, REPORT_MALFORMED, REPORT_UNSUPPORTED. */
export async function readStoredReport(tools: TpmTools): Promise<StoredHclReport> {
  return await tools.task(async (task) => await readReport(task, 'report'));
}

/**
 * A report whose user data are these 64 bytes. Throws AttesterError TPM_…, REPORT_MALFORMED, REPORT_UNSUPPORTED,
 * REPORT_OF_ANOTHER_REQUEST where the paravisor keeps answering with others: it is too old for evidence of version 2.
 */
export async function reportWithUserData(tools: TpmTools, userData: Uint8Array): Promise<StoredHclReport> {
  return await tools.task(async (task) => {
    await defineUserData(task);
    await task.write('user-data', userData);
    await task.run('nvwrite', '-C', 'o', USER_DATA_INDEX, '-i', 'user-data');
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const report = await readReport(task, `report-${attempt}`);
      if (hasUserData(report, userData)) return report;
      await delay(FIRST_PAUSE_MILLISECONDS * 2 ** attempt);
    }
    throw new AttesterError(
      'REPORT_OF_ANOTHER_REQUEST',
      "expected the paravisor to report this request's user data, got others: evidence of version 2 needs a newer one",
    );
  });
}

/** The guest makes the index itself, once; it stays there when the machine starts again. */
async function defineUserData(task: TpmTask): Promise<void> {
  try {
    await task.run('nvreadpublic', USER_DATA_INDEX);
  } catch (error) {
    if (!(error instanceof AttesterError) || error.code !== 'TPM_FAILED') throw error;
    await task.run('nvdefine', '-C', 'o', USER_DATA_INDEX, '-s', `${USER_DATA_BYTES}`);
  }
}

async function readReport(task: TpmTask, file: string): Promise<StoredHclReport> {
  await task.run('nvread', '-C', 'o', REPORT_INDEX, '-o', await task.output(file));
  const bytes = await task.read(file);
  return { ...readHclReport(bytes), bytes };
}
