import type { KeyObject } from 'node:crypto';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import type { GetResource } from '../../kbs-client/resource-servers.ts';
import { parseResourceUri, type ResourceUri } from '../../resource-uri.ts';
import { readFileInside } from '../file-inside.ts';
import { SealedSecretError } from './sealed-secret-error.ts';
import { MAX_KEY_BYTES, parseVerificationKey } from './signing-key.ts';

export interface VerificationKeyOptions {
  /** Holds a JWK for each key, named as its kid. Whoever writes there may seal secrets for this guest. */
  readonly folder: string;
  /** The names of that folder that count; undefined: all that are there. */
  readonly kids?: readonly string[] | undefined;
  /**
   * Resources that are keys, or below which keys are: `kbs:///default/sealed-secret`. A kid is chosen by whoever made the
   * secret, so that without this list every resource that the guest may read would be a key.
   */
  readonly resources: readonly ResourceUri[];
  readonly getResource: GetResource;
}

/** The key of a kid. Throws SealedSecretError, and what GetResource throws. */
export type FindVerificationKey = (kid: string) => Promise<KeyObject>;

const KBS_URI = /^kbs(?:\+|:)/i;
/** One name below a folder, nothing hidden. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/;

/** Finds verification keys where the configuration allows, and nowhere else. */
export function createVerificationKeys(options: VerificationKeyOptions): FindVerificationKey {
  return async (kid) =>
    parseVerificationKey(KBS_URI.test(kid) ? await fetchKey(kid, options) : await readKey(kid, options));
}

async function fetchKey(
  kid: string,
  { resources, getResource }: VerificationKeyOptions,
): Promise<Uint8Array> {
  const uri = parseKid(kid);
  if (!resources.some((allowed) => isBelow(uri, allowed))) {
    throw notAllowed('a kid that is one of the configured resources or below one');
  }
  return await getResource(uri);
}

function parseKid(kid: string): ResourceUri {
  try {
    return parseResourceUri(kid);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new SealedSecretError(
      'SIGNING_KEY_NOT_ALLOWED',
      'expected a kid that is a resource URI, got none',
      {
        cause,
      },
    );
  }
}

/** By whole segments: `…/keys` does not allow `…/keys2`. */
function isBelow(uri: ResourceUri, allowed: ResourceUri): boolean {
  return (
    uri.plugin === allowed.plugin &&
    uri.host === allowed.host &&
    uri.query.length === 0 &&
    allowed.segments.every((segment, index) => segment === uri.segments[index])
  );
}

async function readKey(kid: string, { folder, kids }: VerificationKeyOptions): Promise<Uint8Array> {
  if (!NAME.test(kid) || (kids !== undefined && !kids.includes(kid))) {
    throw notAllowed('a configured kid, or a name in the folder of keys');
  }
  const key = await readFileInside(folder, kid, MAX_KEY_BYTES).catch((cause: unknown) => {
    throw new SealedSecretError(
      'SIGNING_KEY_NOT_FOUND',
      'expected the key of this kid in the folder of keys, got none',
      { cause },
    );
  });
  if (key === undefined) throw notAllowed('a key inside of the folder of keys');
  return key; // one that is longer is cut, and then no JSON
}

function notAllowed(expected: string): SealedSecretError {
  return new SealedSecretError('SIGNING_KEY_NOT_ALLOWED', `expected ${expected}, got another`);
}
