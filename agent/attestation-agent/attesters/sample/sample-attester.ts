import { base64Text } from '../../../text-encoding.ts';
import type { EvidenceSource } from '../../evidence-provider.ts';

/**
 * Stands for a confidential VM: evidence that anybody can make, for development and for tests. Chosen by configuration
 * only, never because no TEE was found.
 */
export const sampleAttester: EvidenceSource = createSample('sample', '1');

/** Stands for a confidential device, a GPU for example. */
export const sampleDeviceAttester: EvidenceSource = createSample('sampledevice', '2');

function createSample(tee: string, svn: string): EvidenceSource {
  return {
    tee,
    reportDataBytes: 'exact',
    evidence: async (reportData) => ({ svn, report_data: base64Text(reportData) }),
  };
}
