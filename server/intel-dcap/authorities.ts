import type { PlatformQuery } from './dcap-collateral.ts';

/** Who, of Intel, issued a certificate, a list or a document. */
export type IntelAuthority = PlatformQuery['ca'] | 'root' | 'tcb-signing';

/** Intel's names for its authorities; test PKIs keep to them. */
const NAMES: readonly (readonly [RegExp, IntelAuthority])[] = [
  [/SGX PCK Platform CA/, 'platform'],
  [/SGX PCK Processor CA/, 'processor'],
  [/SGX Root CA/, 'root'],
  [/SGX TCB Signing/, 'tcb-signing'],
];

/** The authority with this common name, for telling things apart, never for trust. */
export function authorityNamed(commonName: string | undefined): IntelAuthority | undefined {
  return NAMES.find(([name]) => name.test(commonName ?? ''))?.[1];
}
