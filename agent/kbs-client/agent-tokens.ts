import { fingerprintOf, parseBoundToken } from '../binding/bound-token-text.ts';
import { type LifetimeOptions, usableUntil } from '../binding/token-lifetime.ts';
import type { BoundToken } from '../binding/token-on-arrival.ts';
import { createRenewable, type Renewable } from '../renewable.ts';

export interface AgentTokensOptions {
  /** GetToken of the Attestation Agent, over whatever transport. */
  readonly askAgent: (tokenType: string) => Promise<string>;
  /** `kbs`, `kbs:<host>`, `coco_as_bound` or `coco_as_bound:<name>`: one whose answer holds the key. */
  readonly tokenType: string;
  /**
   * Whether the agent knows `;not=…`, which says that a token was refused. Upstream's does not; it makes a new token for
   * each request.
   */
  readonly saysWhatWasRefused: boolean;
  readonly clock: () => Date;
  readonly lifetime: LifetimeOptions;
}

/** Tokens of an Attestation Agent in another process, kept so that a resource does not cost an attestation. */
export function createAgentTokens(options: AgentTokensOptions): Renewable<BoundToken> {
  const { askAgent, tokenType, saysWhatWasRefused, clock, lifetime } = options;
  let last: BoundToken | undefined;
  let isLastRefused = false;
  const tokens = createRenewable<BoundToken>({
    async obtain() {
      const except =
        saysWhatWasRefused && isLastRefused && last !== undefined ? `;not=${fingerprintOf(last)}` : '';
      const text = await askAgent(tokenType + except);
      isLastRefused = false;
      last = await parseBoundToken(text, { at: clock(), skewSeconds: lifetime.skewSeconds });
      return last;
    },
    usableUntil: (token, receivedAt) => usableUntil(token, receivedAt, lifetime),
    clock,
  });
  return async (isRefused = () => false) => {
    isLastRefused ||= last !== undefined && isRefused(last);
    return await tokens(isRefused);
  };
}
