import { parse } from 'semver';
import { KbsError } from './kbs-error.ts';

/** The only version of the protocol; a pre-release of it is another one. */
const REQUIREMENT = '=0.4.0';

/** Throws KbsError PROTOCOL_VERSION_MISMATCH, in words that guest components look for. Build metadata does not count. */
export function assertProtocolVersion(offered: string): void {
  const version = parse(offered);
  // The library also reads `v0.4.0` and surrounding blanks, which strict semantic versioning does not.
  const isStrict = /^[0-9]\S*$/.test(offered);
  if (isStrict && version?.version === REQUIREMENT.slice(1)) return;
  throw new KbsError(
    'PROTOCOL_VERSION_MISMATCH',
    `KBS Client Protocol Version Mismatch: expected ${REQUIREMENT}, got '${offered.replaceAll(/[^\x20-\x7e]/g, '?')}'`,
  );
}
