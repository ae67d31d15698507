import type { Command } from 'commander';
import type { LogLevel } from '../config/config-schema.ts';
import type { Role } from '../role.ts';
import type { Surroundings } from './command-io.ts';

/** A role as `serve` knows it before anything of it is loaded. */
export interface RoleRegistration {
  /** As `--roles` names it. */
  readonly name: string;
  /** Adds the flags that only this role has. */
  readonly addFlags: (serve: Command) => void;
  /**
   * Reads the role's configuration and makes the role of it; its modules are loaded here. `flags` are those of `serve`, by
   * commander's names. Throws ConfigError, and other errors that are a CodedError.
   */
  readonly create: (flags: unknown, around: Surroundings) => Promise<RegisteredRole>;
}

export interface RegisteredRole {
  readonly role: Role;
  /** What its configuration has for the log; that of the first role counts for all. */
  readonly logLevel: LogLevel;
}
