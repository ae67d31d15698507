import { NotFoundError } from '../errors/not-found-error.ts';
import type { ReferenceValueRepository } from '../reference-values/reference-value-repository.ts';
import type { ReferenceValueRoutesOptions } from '../reference-values/reference-value-routes.ts';
import type { AdminContext } from './admin-context.ts';

/** Reference values as administrators keep them, each change recorded. */
export function referenceValueServices(
  repository: ReferenceValueRepository,
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
        },
        clock(),
      );
      return decisionId;
    },
  };
}
