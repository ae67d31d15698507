import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { parseResourceUri } from '../resource-uri.ts';
import { HubConfigError, problemsOf } from './config-problems.ts';
import { CREDENTIAL_FOLDER, credentialComponents } from './credentials/credential-path.ts';

const AGENT_SOCKET = 'unix:///run/confidential-containers/attestation-agent/attestation-agent.sock';
const HUB_SOCKET = 'unix:///run/confidential-containers/cdh.sock';
const KEY_FOLDER = '/run/confidential-containers/cdh/sealed-secret';
const MAX_CREDENTIALS = 256;

/** What the hub is shown, and which of the agent's tokens it shows: those whose answer holds the key. */
const tokenType = z
  .string()
  .regex(
    /^(?:kbs(?::[^;\s]{1,256})?|coco_as_bound(?::[^;\s]{1,256})?)$/,
    'expected kbs[:host] or coco_as_bound[:name]',
  )
  .default('kbs');
const serverTrust = {
  ca_mode: z.enum(['add', 'only']).default('add'),
  pins: z.array(z.string()).min(1).optional(),
  token_type: tokenType,
  plugins: z.array(z.string()).optional(),
};
const resourceUri = z.string().refine(isReadable(parseResourceUri), 'expected a resource URI');
const optionalUri = z.string().optional();

/** Upstream's members of `[image]`; which of them do something is that module's matter. */
const imageSchema = z.strictObject({
  work_dir: z.string().default('/run/kata-containers/image/'),
  image_security_policy_uri: optionalUri,
  image_security_policy: z.string().optional(),
  sigstore_config_uri: optionalUri,
  sigstore_config: z.string().optional(),
  authenticated_registry_credentials_uri: optionalUri,
  registry_configuration_uri: optionalUri,
  registry_config: z.record(z.string(), z.unknown()).optional(),
  max_concurrent_layer_downloads_per_image: z.int().min(1).max(64).default(3),
  image_pull_proxy: z
    .strictObject({
      https_proxy: z.string().optional(),
      http_proxy: z.string().optional(),
      no_proxy: z.string().optional(),
    })
    .optional(),
  extra_root_certificates: z.array(z.string()).default([]),
});

/** Upstream's keys, with their defaults; then ours. */
export const hubConfigSchema = z.strictObject({
  /** `unix://…` is served over ttrpc, `host:port` over gRPC. */
  socket: z.string().default(HUB_SOCKET),
  aa: z.strictObject({ aa_socket: z.string().default(AGENT_SOCKET) }).prefault({}),
  kbc: z.strictObject({
    name: z.enum(['cc_kbc', 'offline_fs_kbc']),
    url: z.string().default(''),
    /** PEM. Empty is none, as in upstream's examples. */
    kbs_cert: z.string().optional(),
    ...serverTrust,
    /** Of URIs whose host is in no table: `default` asks the default server, as upstream does with every host. */
    unknown_host: z.enum(['refuse', 'default']).optional(),
  }),
  credentials: z
    .array(
      z.strictObject({
        path: z
          .string()
          .refine(isReadable(credentialComponents), `expected a path of names below ${CREDENTIAL_FOLDER}`),
        resource_uri: resourceUri,
      }),
    )
    .max(MAX_CREDENTIALS)
    .default([]),
  image: imageSchema.prefault({}),
  /** Upstream's name. Whoever writes a pod's specification then chooses what is unsealed. */
  skip_sealed_secret_verification: z.boolean().default(false),
  log: z
    .strictObject({ level: z.enum(['off', 'error', 'warn', 'info', 'debug', 'trace']).default('info') })
    .prefault({}),

  /** Further servers of resources, by the host that their URIs carry. */
  resource_servers: z
    .array(
      z.strictObject({
        host: z.string().min(1).max(256),
        url: z.string(),
        cert: z.string().optional(),
        ...serverTrust,
      }),
    )
    .default([]),
  sealed_secret: z
    .strictObject({
      key_folder: z.string().default(KEY_FOLDER),
      /** The names in the folder that count; absent: all. */
      kids: z.array(z.string()).optional(),
      /** Resources that are verification keys, or below which they are. */
      key_uris: z.array(resourceUri).default([]),
    })
    .prefault({}),
  key_unwrap: z.strictObject({ output: z.enum(['integers', 'base64']).default('integers') }).prefault({}),
});
export type HubConfig = z.output<typeof hubConfigSchema>;

/**
 * Reads the hub's configuration: TOML, or JSON. Throws HubConfigError: CONFIG_NOT_TOML, CONFIG_NOT_JSON, or CONFIG_INVALID
 * with every problem, and for a key that is not known with the one that was probably meant.
 */
export function parseHubConfig(text: string, format: 'toml' | 'json'): HubConfig {
  const document = format === 'toml' ? readToml(text) : readJson(text);
  const parsed = hubConfigSchema.safeParse(document);
  if (!parsed.success) throw new HubConfigError('CONFIG_INVALID', problemsOf(parsed.error, hubConfigSchema));
  const broken = brokenRelations(parsed.data);
  if (broken.length > 0) throw new HubConfigError('CONFIG_INVALID', broken);
  return parsed.data;
}

function brokenRelations({ kbc, resource_servers: servers }: HubConfig): readonly string[] {
  const problems: string[] = [];
  if (kbc.name === 'cc_kbc' && kbc.url === '' && servers.length === 0) {
    problems.push("kbc.url: expected a URL beside name = 'cc_kbc', got none");
  }
  if (new Set(servers.map(({ host }) => host.toLowerCase())).size !== servers.length) {
    problems.push('resource_servers: expected each host once, got one twice');
  }
  return problems;
}

function readToml(text: string): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Its message goes on with the lines around, which may hold a certificate; so does the error itself.
    throw new HubConfigError('CONFIG_NOT_TOML', [
      `line ${error.line}, column ${error.column}: expected TOML, got something else`,
    ]);
  }
}

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new HubConfigError('CONFIG_NOT_JSON', ['expected JSON, got something else']);
  }
}

function isReadable(read: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      read(text);
      return true;
    } catch (error) {
      if (isCodedError(error)) return false;
      throw error;
    }
  };
}
