import { isCodedError } from '../../server/errors/coded-error.ts';
import { checkTrust, type EndpointTrust, parseEndpointUrl } from '../http/endpoint-trust.ts';
import { type ConfigProblem, problem } from './config-error.ts';
import type { EndpointConfig } from './config-schema.ts';

type TrustKeys = Pick<EndpointConfig, 'cert' | 'ca_mode' | 'pins'>;

/** What a server is told from others by. An empty certificate is none. */
export function trustOf({ cert, ca_mode: mode = 'add', pins }: TrustKeys): EndpointTrust {
  return {
    ...(isGiven(cert) && { ca: { mode, pem: cert } }),
    ...(pins !== undefined && { pins }),
  };
}

/** Looks at the keys of one endpoint together; `where` is the table that they stand in. */
export function brokenEndpoint(
  where: string,
  endpoint: TrustKeys & Pick<EndpointConfig, 'url'>,
): readonly ConfigProblem[] {
  const { url, cert, ca_mode: mode, pins } = endpoint;
  if (mode === 'only' && !isGiven(cert)) {
    return [problem(`${where}.cert`, "certificates in PEM beside ca_mode = 'only'", 'none')];
  }
  if (url === undefined) return isGiven(cert) || pins !== undefined ? [urlMissing(where)] : [];
  try {
    const trust = trustOf(endpoint);
    checkTrust(trust);
    parseEndpointUrl(url, trust);
    return [];
  } catch (error) {
    if (!isCodedError(error)) throw error;
    return [{ where, message: error.message }];
  }
}

export function urlMissing(where: string): ConfigProblem {
  return problem(`${where}.url`, 'a URL beside the other keys', 'none');
}

function isGiven(cert: string | undefined): cert is string {
  return cert !== undefined && cert !== '';
}
