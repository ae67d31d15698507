/** One HTTP request, complete. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** A longer reply is refused while it is read. */
  readonly maxReplyBytes: number;
  readonly signal: AbortSignal;
}

/** The reply, whatever its status; a redirect is never followed. */
export interface HttpReply {
  readonly status: number;
  /** By lower-case name; undefined when it did not come. Several of one name are joined as fetch joins them. */
  header(name: string): string | undefined;
  /** The values of `Set-Cookie`, each by itself. */
  readonly cookies: readonly string[];
  readonly bytes: Uint8Array;
}

/**
 * How requests travel: by the runtime's fetch, or by connections whose certificates we check ourselves. Throws ClientError
 * SERVER_UNREACHABLE, REPLY_TOO_LARGE, REDIRECT_REFUSED, and CERTIFICATE_UNTRUSTED or PIN_MISMATCH where it can tell.
 */
export type HttpExchange = (request: HttpRequest) => Promise<HttpReply>;
