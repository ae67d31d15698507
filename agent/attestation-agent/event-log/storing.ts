import { systemErrorCode } from '../system-error.ts';
import { RuntimeMeasurementError } from './runtime-measurement-error.ts';

/** Does something with the files of the event log. Throws RuntimeMeasurementError EVENT_LOG_FAILED where the system refuses. */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw new RuntimeMeasurementError(
      'EVENT_LOG_FAILED',
      `expected to read and write the event log, got ${code}`,
      { cause },
    );
  }
}
