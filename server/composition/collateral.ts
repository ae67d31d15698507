import type { CollateralRepository } from '../collateral/collateral-repository.ts';
import type { CollateralRoutesOptions } from '../collateral/collateral-routes.ts';
import { importCollateral } from '../collateral/import-collateral.ts';
import { withoutSuperseded } from '../intel-dcap/keep-newest.ts';
import type { AdminContext } from './admin-context.ts';
import { recognizeCollateral } from './recognize-collateral.ts';

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
        await importCollateral(items, recognizeCollateral, async (rows) => {
          await repository.putAll(await withoutSuperseded(rows, repository, clock()));
        });
      return (await recordChange(change, make, clock())).result;
    },
  };
}
