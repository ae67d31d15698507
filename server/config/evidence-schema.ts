import { z } from 'zod';
import { key, paths, SECONDS_IN_A_DAY, text, wholeNumber } from './config-key.ts';

const EVIDENCE_VERSION =
  'Lowest version of evidence: from 2 on, the report itself carries the report data beside the TPM quote.';

const tpm = z.strictObject({
  enabled: key(z.boolean().default(true), 'Whether evidence of bare TPMs is verified.'),
  trusted_aks: key(
    z.array(text).default([]),
    'Attestation keys to trust: SHA-256 of the public key (SPKI in DER), or the name that its TPM gives it, in hex.',
    { expected: 'a list of 64 hex digits, or of TPM names (000b…)' },
  ),
  trusted_ak_keys_dir: key(
    text.optional(),
    'Folder of public keys (PEM or DER) of attestation keys to trust. Read at start.',
    { example: '/etc/verigo/trusted-aks', expected: 'the path of a folder', isPath: true },
  ),
  max_trusted_ak_keys: key(
    wholeNumber(1, 1_000_000).default(100),
    'Most files that this folder may hold; a start with more fails.',
  ),
  ak_roots: paths(
    'Files of root certificates (PEM or DER) whose attestation key certificates are believed.',
    'a list of paths of certificate files',
  ),
  ek_roots: paths(
    'Files of root certificates of TPM manufacturers; keys that a TPM of theirs proves to hold are believed (activation).',
    'a list of paths of certificate files',
  ),
});

/** `[verifiers]` */
export const verifiers = z.strictObject({
  dangerously_accept_sample_evidence: key(
    z.boolean().default(false),
    'Accept unsigned sample evidence, which proves nothing. For development only.',
  ),
  dangerously_replace_vendor_roots: paths(
    "Files of certificates (PEM or DER) to believe in place of the vendors' roots. For test hardware only.",
    'a list of paths of certificate files',
  ),
  snp: z
    .strictObject({
      enabled: key(z.boolean().default(true), 'Whether AMD SEV-SNP evidence is verified.'),
      allowed_vmpls: key(
        z.array(wholeNumber(0, 3)).min(1).default([0]),
        'Privilege levels (VMPL) from which a report may come.',
        { expected: 'a list of one or more of 0, 1, 2, 3' },
      ),
      kds_url: key(
        z
          .string()
          .refine((url) => url === '' || (/^https?:\/\//.test(url) && URL.canParse(url)))
          .default('https://kdsintf.amd.com'),
        'AMD\'s key distribution service, or a mirror of it; "" never fetches.',
        { expected: 'an http or https URL, or ""' },
      ),
    })
    .prefault({})
    .describe('AMD SEV-SNP.'),
  tdx: z
    .strictObject({ enabled: key(z.boolean().default(true), 'Whether Intel TDX evidence is verified.') })
    .prefault({})
    .describe('Intel TDX.'),
  sgx: z
    .strictObject({ enabled: key(z.boolean().default(true), 'Whether Intel SGX evidence is verified.') })
    .prefault({})
    .describe('Intel SGX.'),
  az_snp_vtpm: z
    .strictObject({
      enabled: key(z.boolean().default(true), 'Whether evidence of Azure SEV-SNP machines is verified.'),
      minimum_evidence_version: key(z.literal([0, 1, 2]).default(0), EVIDENCE_VERSION),
    })
    .prefault({})
    .describe('A virtual TPM of Azure above AMD SEV-SNP.'),
  az_tdx_vtpm: z
    .strictObject({
      enabled: key(z.boolean().default(true), 'Whether evidence of Azure TDX machines is verified.'),
      minimum_evidence_version: key(z.literal([0, 1, 2]).default(0), EVIDENCE_VERSION),
    })
    .prefault({})
    .describe('A virtual TPM of Azure above Intel TDX.'),
  tpm: tpm.prefault({}).describe('A bare TPM. Only quotes of keys that are named here are genuine.'),
});

const intel = z.strictObject({
  url: key(
    z
      .string()
      .refine((url) => url === '' || (/^https?:\/\//.test(url) && URL.canParse(url)))
      .default('https://api.trustedservices.intel.com'),
    'Intel\'s provisioning certification service, or a cache of it (PCCS); "" never fetches.',
    { expected: 'an http or https URL, or ""' },
  ),
  api_version: key(z.literal([3, 4]).default(4), 'Version of its interface: 3 (SGX only) or 4.', {
    expected: '3 or 4',
  }),
  api_key: key(text.optional(), 'Sent as Ocp-Apim-Subscription-Key, where the service asks for one.', {
    example: '(in VERIGO_COLLATERAL__INTEL__API_KEY)',
    secret: 'hidden',
  }),
  evaluation_data: key(
    z.union([z.enum(['early', 'standard']), wholeNumber(1, 1_000_000)]).default('early'),
    'Which TCB evaluation data set to ask for: "early", "standard" (some months later), or its number.',
    { expected: '"early", "standard" or the number of a data set' },
  ),
});

/** `[collateral]` */
export const collateral = z.strictObject({
  revocation: key(
    z.enum(['required', 'when-available']).default('required'),
    'Whether evidence is refused while no current revocation list is at hand.',
  ),
  max_stale_seconds: key(
    wholeNumber(0, 366 * SECONDS_IN_A_DAY).default(0),
    'How long after its expiry collateral may still be used; a claim then says so.',
  ),
  intel: intel.prefault({}).describe("Where Intel's collateral comes from."),
});
