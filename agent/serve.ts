import closeWithGrace from 'close-with-grace';
import type { Log } from './log.ts';
import type { Role, RoleContext, RunningRole } from './role.ts';

/** A guest that shuts down does not wait for a server that is away; the runtime around it would kill us in a while. */
const GRACE_MILLISECONDS = 10_000;
/** For those that hang after all. */
const DELAY_MILLISECONDS = GRACE_MILLISECONDS + 5_000;

/**
 * Starts roles one after the other, and answers what closes them the other way round. Throws what a role throws; those
 * that had started are closed then.
 */
export async function startRoles(roles: readonly Role[], context: RoleContext): Promise<RunningRole> {
  const running: RunningRole[] = [];
  const close = async (graceMilliseconds: number): Promise<void> => {
    for (const role of running.splice(0).toReversed()) await role.close(graceMilliseconds);
  };
  try {
    for (const role of roles) running.push(await role.start(context));
  } catch (error) {
    await close(0);
    throw error;
  }
  return { close };
}

/**
 * Runs roles until the process is told to stop (SIGTERM, SIGINT, SIGHUP): what is in flight is finished first, and the
 * sockets are removed. A second signal ends it at once.
 */
export async function serveRoles(
  roles: readonly Role[],
  { clock, log }: RoleContext & { readonly log: Log },
): Promise<void> {
  let running: RunningRole | undefined;
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const grace = closeWithGrace({ delay: DELAY_MILLISECONDS, logger: false }, async ({ err, signal }) => {
    if (err !== undefined) log.failure('process', err);
    log.info(`stopping${signal === undefined ? '' : ` after ${signal}`}`);
    await running?.close(GRACE_MILLISECONDS);
    resolve(undefined);
  });
  try {
    running = await startRoles(roles, { clock, log });
  } catch (error) {
    grace.uninstall();
    throw error;
  }
  log.info(`serving: ${roles.map(({ name }) => name).join(', ')}`);
  await stopped;
}
