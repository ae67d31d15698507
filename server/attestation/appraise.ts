import type { JsonObject } from '../claims/claims.ts';
import type { Tee, TeeClass } from '../evidence/tee.ts';
import type { AttestationVerdict, EvaluateAttestationPolicy } from '../policy/attestation-policy.ts';

/** Proven claims that wait to be judged: one submodule of the token to be. */
export interface Submodule {
  readonly tee: Tee;
  readonly class: TeeClass;
  /** What the policy judges and the token shows. */
  readonly input: JsonObject;
  readonly isSimulated: boolean;
}

/** One submodule, judged. */
export interface Appraisal {
  /** `<class><n>`, counted for each class from 0 in the order of the request: `cpu0`, `gpu0`, `gpu1`. */
  readonly name: string;
  readonly submodule: Submodule;
  readonly verdict: AttestationVerdict;
}

/** Judges each submodule by the policy `<policyId>_<class>`. One failure fails all: there is no partial token. */
export async function appraise(
  submodules: readonly Submodule[],
  policyId: string,
  evaluate: EvaluateAttestationPolicy,
  at: Date,
): Promise<readonly Appraisal[]> {
  const counts = new Map<TeeClass, number>();
  const named = submodules.map((submodule) => {
    const count = counts.get(submodule.class) ?? 0;
    counts.set(submodule.class, count + 1);
    return { name: `${submodule.class}${count}`, submodule };
  });
  return await Promise.all(
    named.map(async ({ name, submodule }) => ({
      name,
      submodule,
      verdict: await evaluate(`${policyId}_${submodule.class}`, submodule.input, at),
    })),
  );
}
