import type { Administrator } from '../admin/admin-auth.ts';
import type { RecordAdminChange } from '../admin/admin-change.ts';
import type { ResourcePath } from '../resources/resource-path.ts';
import type { ResourceRepository } from '../resources/resource-repository.ts';
import { KbsError } from './kbs-error.ts';

/** What administrators do to resources. Each resolves to the id of the decision that recorded it. */
export interface ManageResource {
  put(administrator: Administrator, path: ResourcePath, content: Uint8Array, at: Date): Promise<string>;
  /** Throws KbsError RESOURCE_NOT_FOUND, inside a DecidedError. */
  delete(administrator: Administrator, path: ResourcePath, at: Date): Promise<string>;
}

export function createManageResource(
  resources: Pick<ResourceRepository, 'put' | 'delete'>,
  recordChange: RecordAdminChange,
): ManageResource {
  return {
    async put(administrator, path, content, at) {
      const change = { administrator, subject: `resource put ${path}` };
      const { decisionId } = await recordChange(
        change,
        async () => {
          await resources.put(path, content, at);
        },
        at,
      );
      return decisionId;
    },

    async delete(administrator, path, at) {
      const change = { administrator, subject: `resource delete ${path}` };
      const remove = async (): Promise<void> => {
        if (await resources.delete(path)) return;
        throw new KbsError('RESOURCE_NOT_FOUND', `no resource at '${path}'`);
      };
      const { decisionId } = await recordChange(change, remove, at);
      return decisionId;
    },
  };
}
