import { CodedError } from '../errors/coded-error.ts';

declare const brand: unique symbol;

/** `<repository>/<type>/<tag>`, checked. What the policy sees, what is read, and what the record names. */
export type ResourcePath = string & { readonly [brand]: 'ResourcePath' };

export type ResourceErrorCode = 'RESOURCE_PATH_INVALID' | 'RESOURCE_TOO_LARGE';

/** A resource that cannot be kept as asked. */
export class ResourceError extends CodedError<ResourceErrorCode> {}

/** No leading dot, so neither `.` nor `..`; ASCII only, so no two spellings of one name. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;
const MAX_NAME_LENGTH = 256;

/** Three decoded segments. Throws ResourceError RESOURCE_PATH_INVALID. */
export function parseResourcePath(segments: readonly string[]): ResourcePath {
  const isPath =
    segments.length === 3 && segments.every((name) => name.length <= MAX_NAME_LENGTH && NAME.test(name));
  if (!isPath) {
    throw new ResourceError(
      'RESOURCE_PATH_INVALID',
      'expected <repository>/<type>/<tag> of letters, digits, "_", "-" and inner ".", got another path',
    );
  }
  return segments.join('/') as ResourcePath;
}
