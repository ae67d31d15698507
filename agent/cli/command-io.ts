import type { Json } from '../../server/claims/claims.ts';
import type { Environment } from '../config/load-config.ts';

/** What the program is around a command, whatever the command. */
export interface Surroundings {
  readonly version: string;
  readonly env: Environment;
  readonly cwd: string;
  /** Where the file system of this guest begins: `/`. */
  readonly root: string;
  /** As `process.arch` has it. */
  readonly architecture: string;
  readonly clock: () => Date;
}

/** All that a command touches outside itself. */
export interface CommandIo extends Surroundings {
  readonly writeStdout: (chunk: string | Uint8Array) => void;
  readonly writeStderr: (chunk: string) => void;
}

/** What a command found, for both readers. */
export interface CommandResult {
  readonly json: Json;
  readonly text: string | Uint8Array;
}
