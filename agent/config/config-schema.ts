import { z } from 'zod';
import { TEE_KEY_ALGORITHMS } from '../tee-key/tee-key.ts';

/** Where upstream's clients look for the agent. */
export const AGENT_SOCKET = 'unix:///run/confidential-containers/attestation-agent/attestation-agent.sock';

/** By the names that upstream's log has for them. */
export const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const DAY_SECONDS = 86_400;
/** PCRs of a TPM for PC Clients. */
const LAST_PCR = 23;
const MAX_SERVERS = 64;
const MAX_PINS = 32;
/** What a token type can name; see token-type.ts. */
const SERVICE_NAME = '[A-Za-z0-9._:[\\]-]{1,256}';

// The error of each key is what belongs there: messages say `expected <that>, got …`.
const text = z.string('a text').min(1, 'a text that is not empty');
const flag = z.boolean('true or false');
const wholeNumber = (minimum: number, maximum: number): z.ZodInt => {
  const expected = `a whole number from ${minimum} to ${maximum}`;
  return z.int(expected).min(minimum, expected).max(maximum, expected);
};
const oneOf = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, `one of ${names.map((name) => `'${name}'`).join(', ')}`);

/** Where a server is, and how it is told from others. */
const endpointShape = {
  url: text.optional(),
  /** PEM. Empty is none, as in upstream's examples. */
  cert: z.string('certificates in PEM').optional(),
  ca_mode: oneOf(['add', 'only']).optional(),
  pins: z.array(text, 'a list of pins').min(1, 'at least one pin').max(MAX_PINS).optional(),
};
const policyIds = z.array(text, 'a list of policy ids').default([]);
/** Whose token a resource server is shown. */
const tokenShape = {
  token_source: z
    .string()
    .regex(new RegExp(`^(?:kbs|coco_as(?::${SERVICE_NAME})?)$`), "'kbs', 'coco_as' or 'coco_as:<name>'")
    .optional(),
  token_file: text.optional(),
  plugins: z.array(text, 'a list of plugins').optional(),
};

const serviceSchema = z.strictObject({ ...endpointShape, policy_ids: policyIds }, 'a table');
/** Upstream's keys are the default service; a table in it is a service of that name. */
const attestationServicesSchema = z
  .object({ ...endpointShape, policy_ids: policyIds }, 'a table')
  .catchall(serviceSchema);

const tokenConfigsSchema = z.strictObject(
  {
    coco_as: attestationServicesSchema.optional(),
    kbs: z
      .strictObject(
        {
          ...endpointShape,
          tee_key_algorithm: oneOf(TEE_KEY_ALGORITHMS).default('ECDH-ES+A256KW-P256'),
          ...tokenShape,
        },
        'a table',
      )
      .optional(),
    /** The attestation service that `coco_as` means. */
    attestation_service: text.optional(),
  },
  'a table',
);

/** Upstream's keys with their defaults, then ours. An empty file is a configuration. */
export const configSchema = z.strictObject(
  {
    token_configs: tokenConfigsSchema.prefault({}),
    eventlog_config: z
      .strictObject(
        { init_pcr: wholeNumber(0, LAST_PCR).default(17), enable_eventlog: flag.default(false) },
        'a table',
      )
      .prefault({}),
    log: z.strictObject({ level: oneOf(LOG_LEVELS).default('info') }, 'a table').prefault({}),

    /** Further key brokers, by the host that resource URIs carry. */
    resource_servers: z
      .array(
        z.strictObject({ host: text, ...endpointShape, url: text, ...tokenShape }, 'a table'),
        '[[resource_servers]] tables',
      )
      .max(MAX_SERVERS, `at most ${MAX_SERVERS} servers`)
      .default([]),
    attester: z
      .strictObject(
        {
          /** The TEE to attest, in place of the one that is detected. */
          tee: text.optional(),
          dangerously_use_sample_attester: flag.default(false),
          dangerously_use_sample_device: flag.default(false),
          /** Of a key in the TPM, in place of the one that is usual. */
          tpm_key_handle: z
            .string()
            .regex(/^0x8[0-9a-fA-F]{7}$/, "a persistent handle, '0x81…'")
            .optional(),
        },
        'a table',
      )
      .prefault({}),
    sockets: z
      .strictObject(
        {
          /** `unix://…` is served over ttrpc, `host:port` over gRPC. */
          listen: z
            .array(text, 'a list of addresses')
            .min(1, 'at least one address')
            .max(8, 'at most 8 addresses')
            .default([AGENT_SOCKET]),
          mode: z
            .string()
            .regex(/^0?[0-7]{3}$/, "a mode in octal, '0600'")
            .default('0600'),
          dangerously_serve_beyond_loopback: flag.default(false),
        },
        'a table',
      )
      .prefault({}),
    deadlines: z
      .strictObject(
        {
          /** For a token, with all attempts. Upstream's clients wait 50 seconds. */
          request_seconds: wholeNumber(1, 600).default(45),
          attempt_seconds: wholeNumber(1, 600).default(20),
          /** How long before its end a token is renewed. */
          renew_before_seconds: wholeNumber(0, DAY_SECONDS).default(30),
          clock_skew_seconds: wholeNumber(0, 3600).default(60),
        },
        'a table',
      )
      .prefault({}),
  },
  'a table',
);

export type Config = z.output<typeof configSchema>;
export type EndpointConfig = z.output<typeof serviceSchema>;
