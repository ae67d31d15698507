import { z } from 'zod';
import { serverAt } from '../../../http/endpoint.ts';
import { malformed, readCredential } from '../credential-folder.ts';
import { KmsError, type SecretGetter } from '../kms.ts';
import { callKmsJson, type KmsService } from '../kms-call.ts';
import { type KmsContext, serverOf } from '../kms-context.ts';
import { ALIYUN, type AliyunAddresses } from './aliyun-addresses.ts';
import { createOpenApiGetter, type StsCredential } from './open-api.ts';

/** It becomes part of a host's name. */
const regionId = z.string().regex(/^[a-z]{2}(?:-[a-z0-9]{1,20}){1,3}$/);

export const stsSettingsSchema = z.object({ token_path: z.string(), region_id: regionId });

const ROLE_FILE = 'ecsRamRole.json';
const roleSchema = z.object({
  ecs_ram_role_name: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/),
  region_id: regionId,
});
const metadataSchema = z.object({
  AccessKeyId: z.string().min(1),
  AccessKeySecret: z.string().min(1),
  SecurityToken: z.string().min(1),
});

/**
 * Secrets with the credential of a file, `id:secret:token`. The file is one of the credential folder: a path is the secret's
 * word, and no reason to read any other. Throws KmsError.
 */
export async function openWithStsToken(
  context: KmsContext,
  addresses: AliyunAddresses,
  { token_path: path, region_id: region }: z.output<typeof stsSettingsSchema>,
): Promise<SecretGetter> {
  const file = nameInside(context.credentials.folderOf(ALIYUN), path);
  const parts = (await context.credentials.readText(ALIYUN, file)).trim().split(':');
  const [accessKeyId = '', accessKeySecret = '', securityToken = '', ...more] = parts;
  if (more.length > 0 || [accessKeyId, accessKeySecret, securityToken].includes('')) {
    throw malformed(ALIYUN, 'the file of token_path', 'a key id, a secret and a token with colons between');
  }
  const credential: StsCredential = { accessKeyId, accessKeySecret, securityToken };
  const service = openApi(context, addresses, region, 'the settings');
  return createOpenApiGetter(service, region, context.clock, async () => await Promise.resolve(credential));
}

/**
 * Secrets with the credential that the machine's host gives to a role. The host may give another: secrets got in this way are
 * what the host's account has under that name, and to be used where the host is believed. Throws KmsError.
 */
export async function openWithRole(context: KmsContext, addresses: AliyunAddresses): Promise<SecretGetter> {
  const role = await readCredential(context.credentials, ALIYUN, ROLE_FILE, roleSchema);
  const metadata: KmsService = {
    name: 'Aliyun’s metadata service',
    server: serverAt({ url: addresses.metadata }, context.userAgent),
    attempts: context.attempts,
  };
  const path = `/latest/meta-data/ram/security-credentials/${role.ecs_ram_role_name}`;
  return createOpenApiGetter(
    openApi(context, addresses, role.region_id, ROLE_FILE),
    role.region_id,
    context.clock,
    async (signal) => {
      const given = await callKmsJson(metadata, { path, signal }, metadataSchema);
      const {
        AccessKeyId: accessKeyId,
        AccessKeySecret: accessKeySecret,
        SecurityToken: securityToken,
      } = given;
      return { accessKeyId, accessKeySecret, securityToken };
    },
  );
}

function openApi(
  context: KmsContext,
  addresses: AliyunAddresses,
  region: string,
  file: string,
): Omit<KmsService, 'refusalOf'> {
  return {
    name: 'Aliyun KMS',
    server: serverOf(context, addresses.openApi(region), {}, { provider: ALIYUN, file }),
    attempts: context.attempts,
  };
}

function nameInside(folder: string, path: string): string {
  const prefix = `${folder}/`;
  const name = path.startsWith(prefix) ? path.slice(prefix.length) : path;
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return name;
  throw new KmsError(
    'KMS_NAME_REFUSED',
    "expected 'token_path' to be a file of the credential folder, got another path",
  );
}
