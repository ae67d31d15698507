import { isCodedError } from '../server/errors/coded-error.ts';
import { systemErrorCode } from './attestation-agent/system-error.ts';
import type { LogLevel } from './config/config-schema.ts';
import type { RoleLog } from './role.ts';

/** What the agent tells its operator: a JSON object a line. */
export interface Log extends RoleLog {
  readonly info: (message: string) => void;
  readonly error: (message: string) => void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly clock: () => Date;
  readonly write: (line: string) => void;
}

type Severity = 'error' | 'warn' | 'info';
type Fields = Readonly<Record<string, unknown>>;

const SEVERITIES_OF: Readonly<Record<LogLevel, readonly Severity[]>> = {
  off: [],
  error: ['error'],
  warn: ['error', 'warn'],
  info: ['error', 'warn', 'info'],
  debug: ['error', 'warn', 'info'],
  trace: ['error', 'warn', 'info'],
};
const MAX_CAUSES = 4;
const MAX_FRAMES = 8;

/**
 * Our own, because a logging library would be half of what the agent loads before it serves. Of errors that are not ours
 * it writes kind and place, never the text: that may repeat what it was about.
 */
export function createLog({ level, clock, write }: LogOptions): Log {
  const say = (severity: Severity, msg: string, fields: Fields = {}): void => {
    if (!SEVERITIES_OF[level].includes(severity)) return;
    write(`${JSON.stringify({ level: severity, time: clock().toISOString(), msg, ...fields })}\n`);
  };
  return {
    info: (message) => {
      say('info', message);
    },
    warn: (message) => {
      say('warn', message);
    },
    error: (message) => {
      say('error', message);
    },
    failure: (path, error) => {
      say('error', 'failed', { path, causes: causesOf(error) });
    },
  };
}

/** An error and what caused it, outermost first. */
function causesOf(error: unknown): readonly Fields[] {
  const causes: Fields[] = [];
  let current = error;
  while (current !== undefined && causes.length < MAX_CAUSES) {
    causes.push(shownError(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return causes;
}

function shownError(error: unknown): Fields {
  if (isCodedError(error)) return { error: error.name, code: error.code, message: error.message };
  const code = systemErrorCode(error);
  if (code !== undefined) return { error: 'system', code };
  if (!(error instanceof Error)) return { error: typeof error };
  return { error: error.name, at: framesOf(error) };
}

function framesOf({ stack = '' }: Error): readonly string[] {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim());
}
