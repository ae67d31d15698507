import type { TokenService } from './token-service.ts';

/**
 * Tokens whose modules are loaded for the first of them: a guest is to start fast, and may not ask for one. What `open`
 * throws, whoever asks first and later hears.
 */
export function laterTokens(open: () => Promise<TokenService>): TokenService {
  let opened: Promise<TokenService> | undefined;
  const tokens = async (): Promise<TokenService> => await (opened ??= open());
  return {
    getToken: async (type) => await (await tokens()).getToken(type),
    credentialsFor: (host) => async (refused) => await (await tokens()).credentialsFor(host)(refused),
  };
}
