import { NotFoundError } from '../errors/not-found-error.ts';
import type { ReferenceValueRepository } from '../reference-values/reference-value-repository.ts';
import type { ReferenceValueRoutesOptions } from '../reference-values/reference-value-routes.ts';
import type { AdminContext } from './admin-context.ts';

/**
 * Reference values as administrators keep them, each change recorded. `forgetValues`: what policies were told here before a
 * change counts no more once it is answered; other replicas hear of it by the change feed.
 */
export function referenceValueServices(
  repository: ReferenceValueRepository,
  forgetValues: () => void,
  { gate, recordChange, clock }: AdminContext,
): ReferenceValueRoutesOptions {
  return {
    authorize: gate.admit,
    list: repository.list,
    find: async (name) => await repository.find(name, clock()),
    async set(value, request) {
      const administrator = gate.administratorOf(request);
      const change = { administrator, subject: `reference-value set ${value.name}` };
      const { decisionId } = await recordChange(
        change,
        async () => {
          await repository.set(value, administrator.subject, clock());
          forgetValues();
        },
        clock(),
      );
      return decisionId;
    },
    async delete(name, request) {
      const change = {
        administrator: gate.administratorOf(request),
        subject: `reference-value delete ${name}`,
      };
      const { decisionId } = await recordChange(
        change,
        async () => {
          if (!(await repository.delete(name))) throw new NotFoundError('no reference value of this name');
          forgetValues();
        },
        clock(),
      );
      return decisionId;
    },
  };
}
