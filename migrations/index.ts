import type { Migration } from 'kysely/migration';
import * as foundation from './2026-11-23T0900_foundation.ts';

/** Every migration, in order. A migration is frozen the day it ships. */
export const migrations: Readonly<Record<string, Migration>> = {
  '2026-11-23T0900_foundation': foundation,
};
