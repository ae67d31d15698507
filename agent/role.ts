import type { FailureLog } from './rpc/service.ts';

/** What a role is given by the program that hosts it. */
export interface RoleContext {
  readonly clock: () => Date;
  readonly log: RoleLog;
}

export interface RoleLog {
  /** What the operator should know of the configuration. */
  readonly warn: (message: string) => void;
  readonly failure: FailureLog;
}

/** One of the agent's services, which a program hosts alone or beside others. */
export interface Role {
  readonly name: string;
  /** Resolves when it serves. Throws what its parts throw; then nothing of it is left. */
  start(context: RoleContext): Promise<RunningRole>;
}

export interface RunningRole {
  /** Takes nothing new, finishes what is in flight for as long, and ends the rest. */
  close(graceMilliseconds: number): Promise<void>;
}
