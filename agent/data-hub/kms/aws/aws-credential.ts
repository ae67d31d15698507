import type * as KmsSdk from '@aws-sdk/client-kms';
import type * as SecretsSdk from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { malformed, readCredential } from '../credential-folder.ts';
import type { KmsContext } from '../kms-context.ts';
import { loadOptionalPackage } from '../optional-package.ts';

export const AWS = 'aws';

const FILE = 'credential.json';
const ATTEMPTS = 3;
const CONNECT_MILLISECONDS = 4_000;
const REQUEST_MILLISECONDS = 8_000;

/** As upstream's driver reads it; the addresses of private endpoints are ours. */
const credentialSchema = z.object({
  access_key_id: z.string().min(1),
  secret_access_key: z.string().min(1),
  session_token: z.string().min(1).optional(),
  endpoints: z
    .strictObject({ kms: z.string().optional(), secretsmanager: z.string().optional() })
    .default({}),
});
type AwsCredential = z.output<typeof credentialSchema>;

export interface AwsKms {
  readonly sdk: typeof KmsSdk;
  readonly client: KmsSdk.KMSClient;
}
export interface AwsSecrets {
  readonly sdk: typeof SecretsSdk;
  readonly client: SecretsSdk.SecretsManagerClient;
}

/** Throws KmsError CREDENTIALS_MISSING, CREDENTIALS_MALFORMED, PROVIDER_PACKAGE_MISSING. */
export async function createAwsKms(context: KmsContext, region: string): Promise<AwsKms> {
  const credential = await load(context);
  const sdk = await loadOptionalPackage(
    AWS,
    '@aws-sdk/client-kms',
    async () => await import('@aws-sdk/client-kms'),
  );
  return { sdk, client: new sdk.KMSClient(clientConfig(context, credential, region, 'kms')) };
}

/** Throws KmsError CREDENTIALS_MISSING, CREDENTIALS_MALFORMED, PROVIDER_PACKAGE_MISSING. */
export async function createAwsSecrets(context: KmsContext, region: string): Promise<AwsSecrets> {
  const credential = await load(context);
  const sdk = await loadOptionalPackage(
    AWS,
    '@aws-sdk/client-secrets-manager',
    async () => await import('@aws-sdk/client-secrets-manager'),
  );
  const client = new sdk.SecretsManagerClient(clientConfig(context, credential, region, 'secretsmanager'));
  return { sdk, client };
}

async function load({ credentials }: KmsContext): Promise<AwsCredential> {
  return await readCredential(credentials, AWS, FILE, credentialSchema);
}

/** Everything is said, so that the SDK takes nothing from the environment and the files of whoever runs the hub. */
function clientConfig(
  { userAgent, attempts }: KmsContext,
  credential: AwsCredential,
  region: string,
  service: 'kms' | 'secretsmanager',
): KmsSdk.KMSClientConfig & SecretsSdk.SecretsManagerClientConfig {
  const {
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    session_token: sessionToken,
  } = credential;
  const endpoint = credential.endpoints[service];
  if (endpoint !== undefined && !isSecure(endpoint)) throw malformed(AWS, FILE, 'https addresses');
  return {
    region,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    ...(endpoint !== undefined && { endpoint }),
    ignoreConfiguredEndpointUrls: true,
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    defaultsMode: 'standard',
    retryMode: 'standard',
    maxAttempts: attempts === undefined ? ATTEMPTS : attempts.retries + 1,
    customUserAgent: userAgent,
    requestHandler: {
      connectionTimeout: CONNECT_MILLISECONDS,
      requestTimeout: attempts?.attemptMilliseconds ?? REQUEST_MILLISECONDS,
      throwOnRequestTimeout: true,
    },
  };
}

function isSecure(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && url.hostname === '127.0.0.1');
}
