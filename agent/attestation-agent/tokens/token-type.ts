import { CodedError } from '../../../server/errors/coded-error.ts';

export type AgentTokenErrorCode =
  | 'TOKEN_TYPE_UNKNOWN'
  | 'TOKEN_SOURCE_NOT_CONFIGURED'
  | 'TOKEN_FILE_UNREADABLE';

/** A token that this guest is not configured to get. Never holds a token. */
export class AgentTokenError extends CodedError<AgentTokenErrorCode> {}

/** What a caller of GetToken asks for. */
export interface TokenType {
  /** `bound`: with the key, as JSON; `bare`: the token alone. */
  readonly form: 'bound' | 'bare';
  readonly source:
    | { readonly kind: 'resource-server'; readonly host: string }
    | { readonly kind: 'attestation-service'; readonly name: string };
  /** SHA-256 (base64url) of a token that a server has refused: any but that one. */
  readonly except: string | undefined;
}

/** The attestation service that `coco_as` means. */
export const DEFAULT_ATTESTATION_SERVICE = 'default';

const SHAPE = /^(kbs|coco_as|coco_as_bound)(?::([A-Za-z0-9._:[\]-]{1,256}))?(?:;not=([A-Za-z0-9_-]{43}))?$/;

/**
 * Reads a token type. `kbs` and `coco_as` are upstream's. Ours: `coco_as_bound`, the token of `coco_as` in the form of
 * `kbs`, so that whoever asked can use it; `coco_as:<name>` and `coco_as_bound:<name>`, of another service; `kbs:<host>`, of
 * another resource server; and behind any of them `;not=<SHA-256 of the token in base64url>`, after a refusal.
 * Throws AgentTokenError TOKEN_TYPE_UNKNOWN.
 */
export function parseTokenType(text: string): TokenType {
  const [, kind, name, except] = SHAPE.exec(text) ?? [];
  if (kind === undefined) {
    throw new AgentTokenError(
      'TOKEN_TYPE_UNKNOWN',
      `expected the token type kbs[:host], coco_as[:name] or coco_as_bound[:name], got '${text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 64)}'`,
    );
  }
  return {
    form: kind === 'coco_as' ? 'bare' : 'bound',
    source:
      kind === 'kbs'
        ? { kind: 'resource-server', host: name?.toLowerCase() ?? '' }
        : { kind: 'attestation-service', name: name ?? DEFAULT_ATTESTATION_SERVICE },
    except,
  };
}
