import type { Json, JsonObject } from '../claims/claims.ts';
import type { Clock } from '../clock.ts';
import type { Environment } from '../config/environment.ts';
import type { Config } from '../config/load-config.ts';

/** Evidence as a file holds it: a JSON document (integers beyond 2^53 as bigint), or the TEE's own bytes. */
export type EvidenceFile =
  | { readonly form: 'json'; readonly document: unknown }
  | { readonly form: 'bytes'; readonly bytes: Uint8Array };

/** Reads evidence of one kind without judging it. Throws a CodedError when it is not of that kind. */
type InspectEvidence = (evidence: EvidenceFile) => JsonObject;

interface AdminTokenRequest {
  readonly role: string;
  readonly subject: string;
  readonly lifetimeSeconds: number;
  readonly at: Date;
}

interface PolicyTestRun {
  readonly passed: boolean;
  /** What the test run printed. */
  readonly output: string;
}

/** What the command line needs from the rest of the program. Given to it, so that it knows no other part. */
export interface CommandServices {
  readonly version: string;
  /** Resolves when the server has been told to stop and has stopped. */
  serve(config: Config): Promise<void>;
  /** Signs with the key in `keyFile`. Throws when there is none. */
  mintAdminToken(keyFile: string, request: AdminTokenRequest): Promise<string>;
  /** Runs the Rego tests below a folder with the OPA that the configuration names. */
  testPolicies(config: Config, folder: string): Promise<PolicyTestRun>;
  /** By the name of the TEE, in the order in which they are tried. */
  readonly inspectors: Readonly<Record<string, InspectEvidence>>;
}

/** The terminal, the environment and the program: all that a command touches outside itself. */
export interface CommandIo {
  readonly env: Environment;
  readonly cwd: string;
  readonly clock: Clock;
  readonly services: CommandServices;
  readonly readStdin: () => Promise<Uint8Array>;
  readonly writeStdout: (chunk: string | Uint8Array) => void;
  readonly writeStderr: (chunk: string) => void;
}

/** What a command found, for both readers. */
export interface CommandResult {
  readonly json: Json;
  readonly text: string;
}
