import { registerHooks } from 'node:module';
import process from 'node:process';
import { isCodedError } from '../../../../server/errors/coded-error.ts';

/*
 * A guest in which the optional packages are not installed, as a program of its own: what a process has loaded stays loaded.
 */
const OPTIONAL = /^(?:@aws-sdk\/|pkcs11js)/;
const asked: string[] = [];
registerHooks({
  resolve(specifier, context, next) {
    if (!OPTIONAL.test(specifier)) return next(specifier, context);
    asked.push(specifier);
    throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: 'ERR_MODULE_NOT_FOUND' });
  },
});

const { createDecrypter, createGetter } = await import('../../../../agent/data-hub/kms/kms.ts');
const { createKmsDrivers } = await import('../../../../agent/data-hub/kms/kms-drivers.ts');
const drivers = createKmsDrivers({
  userAgent: 'test',
  clock: () => new Date(0),
  credentialFolder: process.argv[2],
});
const loadedAtStart = [...asked];
const failures: unknown[] = [];
for (const use of [
  async () => await createDecrypter(drivers, 'aws', { region: 'eu-central-1' }),
  async () => await createGetter(drivers, 'aws', { region: 'eu-central-1' }),
  async () => await createGetter(drivers, 'pkcs11', {}),
]) {
  try {
    await use();
  } catch (error) {
    if (!isCodedError(error)) throw error;
    failures.push([error.code, /package (\S+)/.exec(error.message)?.[1]]);
  }
}
console.log(JSON.stringify({ loadedAtStart, failures }));
