import { parseBoundToken } from '../../binding/bound-token-text.ts';
import type { BoundToken } from '../../binding/token-on-arrival.ts';
import type { Guest } from '../../guest.ts';
import { AgentTokenError } from './token-type.ts';

/**
 * A token that somebody else got and put into a file, with its key. Throws AgentTokenError TOKEN_FILE_UNREADABLE, and what
 * parseBoundToken throws.
 */
export async function readTokenFile(readText: () => Promise<string>, guest: Guest): Promise<BoundToken> {
  let text: string;
  try {
    text = await readText();
  } catch (cause) {
    throw new AgentTokenError(
      'TOKEN_FILE_UNREADABLE',
      'expected a file with token and key, could not read it',
      {
        cause,
      },
    );
  }
  return await parseBoundToken(text, { at: guest.clock(), skewSeconds: guest.skewSeconds });
}
