import { z } from 'zod';
import type { JsonObject } from '../claims/claims.ts';
import type { PolicyRef } from './policy.ts';
import type { PolicyEngine } from './policy-engine.ts';
import type { PolicyStore } from './policy-store.ts';

/** What the resource policy sees beside the token's claims: `data.plugin`, `data["resource-path"]`, `data.query`. */
export interface ResourceRequest {
  readonly plugin: string;
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export interface ResourceVerdict {
  readonly policy: PolicyRef;
  readonly allowed: boolean;
}

/** Only boolean true allows. Throws PolicyError when the policy is missing, broken, or exceeds its deadline. */
export type EvaluateResourcePolicy = (
  claims: JsonObject,
  request: ResourceRequest,
  at: Date,
) => Promise<ResourceVerdict>;

/** The one resource policy, under the name by which clients of Confidential Containers know it. */
export const RESOURCE_POLICY = 'resource-policy';

const documentSchema = z.object({ allow: z.unknown().optional() });

/** Evaluates the resource policy in force. A rule that is missing, undefined or anything but `true` denies. */
export function createResourcePolicy(
  policies: Pick<PolicyStore, 'active'>,
  engine: Pick<PolicyEngine, 'evaluate'>,
): EvaluateResourcePolicy {
  return async (claims, { plugin, path, query }, at) => {
    const { ref, module } = await policies.active('resource', RESOURCE_POLICY);
    const data = { plugin, 'resource-path': path, query };
    const { document } = await engine.evaluate({ module, input: claims, data, at });
    return { policy: ref, allowed: documentSchema.parse(document).allow === true };
  };
}
