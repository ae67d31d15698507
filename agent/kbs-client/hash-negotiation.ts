import { type BindingHash, DEFAULT_BINDING_HASH } from '../binding/binding-hash.ts';
import { ClientError } from '../client-error.ts';

const SELECTED = 'selected-hash-algorithm';

/**
 * The digest that the key broker chose in its challenge's `extra-params`; SHA-384 when it does not say. What we did not offer
 * is refused: the evidence would be bound by a digest that we do not have. Throws ClientError HASH_ALGORITHM_UNSUPPORTED.
 */
export function negotiatedHash(extraParams: unknown, offered: readonly BindingHash[]): BindingHash {
  const selected = selectedIn(extraParams);
  if (selected === undefined) return DEFAULT_BINDING_HASH;
  if (typeof selected !== 'string') throw unsupported(offered, 'unexpected JSON data type: expected string');
  const name = selected.toLowerCase();
  const hash = offered.find((known) => known === name);
  if (hash === undefined) throw unsupported(offered, `invalid hash algorithm '${selected.slice(0, 32)}'`);
  return hash;
}

function selectedIn(extraParams: unknown): unknown {
  if (extraParams === null || typeof extraParams !== 'object' || Array.isArray(extraParams)) return undefined;
  return Object.hasOwn(extraParams, SELECTED)
    ? Object.entries(extraParams).find(([name]) => name === SELECTED)?.[1]
    : undefined;
}

function unsupported(offered: readonly BindingHash[], came: string): ClientError {
  return new ClientError(
    'HASH_ALGORITHM_UNSUPPORTED',
    `expected the key broker to choose one of ${offered.join(', ')}: ${came}`,
  );
}
