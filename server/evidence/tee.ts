/** The class of a TEE names its submodule in the token and its policy: `cpu` → `cpu0`, `default_cpu`. */
export type TeeClass = 'cpu' | 'gpu' | 'switch' | 'ppcie' | 'dcu';

/** Every kind of evidence that the wire knows, by the names of the Confidential Containers protocol. */
export const TEES = [
  'sample',
  'sampledevice',
  'sgx',
  'tdx',
  'snp',
  'az-snp-vtpm',
  'az-tdx-vtpm',
  'cca',
  'csv',
  'se',
  'hygondcu',
  'tpm',
  'nvidia',
  'dpu',
] as const;

export type Tee = (typeof TEES)[number];

export function isTee(name: string): name is Tee {
  return (TEES as readonly string[]).includes(name);
}
