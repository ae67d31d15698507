import type { CollateralRepository } from '../collateral/collateral-repository.ts';
import type { CollateralRoutesOptions } from '../collateral/collateral-routes.ts';
import { importCollateral } from '../collateral/import-collateral.ts';
import type { AdminContext } from './admin-context.ts';
import { classifyCollateral } from './verifiers.ts';

/** Collateral as administrators see and import it, each import recorded. */
export function collateralServices(
  repository: CollateralRepository,
  { gate, recordChange, clock }: AdminContext,
): CollateralRoutesOptions {
  return {
    authorize: gate.admit,
    list: repository.list,
    exportAll: repository.exportAll,
    async importItems(items, request) {
      const change = { administrator: gate.administratorOf(request), subject: 'collateral import' };
      const make = async (): ReturnType<typeof importCollateral> =>
        await importCollateral(items, classifyCollateral, repository.putAll);
      return (await recordChange(change, make, clock())).result;
    },
  };
}
