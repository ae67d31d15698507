import type { AuthorizeAdmin } from '../admin/admin-auth.ts';
import type { RecordAdminChange } from '../admin/admin-change.ts';
import type { Clock } from '../clock.ts';
import type { AdminGate } from '../http/admin-gate.ts';

/** How every part tells administrators from others and records what they change. */
export interface AdminContext {
  readonly authorize: AuthorizeAdmin;
  readonly gate: AdminGate;
  readonly recordChange: RecordAdminChange;
  readonly clock: Clock;
}
