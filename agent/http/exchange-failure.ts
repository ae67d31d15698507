import { ClientError } from '../client-error.ts';
import type { HttpRequest } from './exchange.ts';

/** No reply that could be read: the server is down, slow, or speaks something else. */
export function unreachable({ url }: Pick<HttpRequest, 'url'>, cause: unknown): ClientError {
  return new ClientError('SERVER_UNREACHABLE', `expected a reply of ${hostOf(url)} in time, got none`, {
    cause,
  });
}

export function redirectRefused({ url }: Pick<HttpRequest, 'url'>): ClientError {
  return new ClientError(
    'REDIRECT_REFUSED',
    `expected ${hostOf(url)} to answer itself, got a redirect to another address`,
  );
}

/** Only the host: paths and queries may say more than a log should. */
export function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'the server';
}
