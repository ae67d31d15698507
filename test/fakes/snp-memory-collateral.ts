import type { Collateral, CollateralStore } from '../../server/collateral/collateral.ts';

/** A store as verifiers see it, that a test can look into and put wrong things in. */
export interface MemoryCollateral extends CollateralStore {
  readonly rows: ReadonlyMap<string, Collateral>;
  clear(): void;
}

export function createMemoryCollateral(): MemoryCollateral {
  const rows = new Map<string, Collateral>();
  return {
    rows,
    async find(kind, key) {
      return rows.get(`${kind} ${key}`);
    },
    async put(collateral) {
      rows.set(`${collateral.kind} ${collateral.key}`, collateral);
    },
    clear() {
      rows.clear();
    },
  };
}
