import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LIBRARIES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

export const HSM_PIN = '123456';
export const HSM_LABEL = 'guest';

/** A token in software, in a folder of its own, with what tests look for in it. */
export interface SoftHsm {
  readonly module: string;
  stop(): Promise<void>;
}

/** The library of SoftHSM 2 (package softhsm2); undefined where it, or the npm package that loads it, is not installed. */
export async function findSoftHsm(): Promise<string | undefined> {
  const isLoadable = await import('pkcs11js').then(
    () => true,
    () => false,
  );
  if (!isLoadable) return undefined;
  if (spawnSync('softhsm2-util', ['--version']).status !== 0) return undefined;
  return LIBRARIES.find((path) => existsSync(path));
}

/** Before anything of this process loads the library: it reads its configuration once. */
export async function startSoftHsm(module: string): Promise<SoftHsm> {
  const folder = await mkdtemp(join(tmpdir(), 'verigo-softhsm-'));
  await mkdir(join(folder, 'tokens'));
  const configuration = join(folder, 'softhsm2.conf');
  await writeFile(configuration, `directories.tokendir = ${join(folder, 'tokens')}\nlog.level = ERROR\n`);
  process.env['SOFTHSM2_CONF'] = configuration;
  for (const label of [HSM_LABEL, 'other']) {
    const pins = ['--so-pin', HSM_PIN, '--pin', HSM_PIN];
    await run('softhsm2-util', ['--init-token', '--free', '--label', label, ...pins]);
  }
  return {
    module,
    async stop() {
      await rm(folder, { recursive: true });
    },
  };
}

/** Makes the keys and the secret: `rsa`, `aes`, `twin` twice, `sign` for signatures only, and the data object `database`. */
export async function fillToken(path: string): Promise<void> {
  const { default: pkcs11 } = await import('pkcs11js');
  const module = new pkcs11.PKCS11();
  module.load(path);
  module.C_Initialize();
  const slot = module
    .C_GetSlotList(true)
    .find((each) => module.C_GetTokenInfo(each).label.trimEnd() === HSM_LABEL)!;
  const session = module.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
  module.C_Login(session, pkcs11.CKU_USER, HSM_PIN);
  const named = (label: string) => [
    { type: pkcs11.CKA_LABEL, value: label },
    { type: pkcs11.CKA_TOKEN, value: true },
  ];
  const rsa = (label: string, isForSecrets: boolean): void => {
    module.C_GenerateKeyPair(
      session,
      { mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN },
      [
        ...named(label),
        { type: pkcs11.CKA_MODULUS_BITS, value: 2048 },
        { type: pkcs11.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) },
        { type: pkcs11.CKA_ENCRYPT, value: isForSecrets },
        { type: pkcs11.CKA_VERIFY, value: !isForSecrets },
        { type: pkcs11.CKA_PRIVATE, value: false },
      ],
      [
        ...named(label),
        { type: pkcs11.CKA_DECRYPT, value: isForSecrets },
        { type: pkcs11.CKA_SIGN, value: !isForSecrets },
        { type: pkcs11.CKA_PRIVATE, value: true },
      ],
    );
  };
  const aes = (label: string): void => {
    module.C_GenerateKey(session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, [
      ...named(label),
      { type: pkcs11.CKA_VALUE_LEN, value: 32 },
      { type: pkcs11.CKA_ENCRYPT, value: true },
      { type: pkcs11.CKA_DECRYPT, value: true },
      { type: pkcs11.CKA_PRIVATE, value: true },
    ]);
  };
  rsa('rsa', true);
  rsa('sign', false);
  for (const label of ['aes', 'twin', 'twin']) aes(label);
  module.C_CreateObject(session, [
    ...named('database'),
    { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_DATA },
    { type: pkcs11.CKA_PRIVATE, value: true },
    { type: pkcs11.CKA_VALUE, value: Buffer.from('a secret of the token') },
  ]);
  module.C_CloseSession(session);
  module.C_Finalize();
  module.close();
}
