import { describe, expect, it } from 'vitest';
import { ClientError } from '../../agent/client-error.ts';
import type { LogLevel } from '../../agent/config/config-schema.ts';
import { createLog, type Log } from '../../agent/log.ts';
import { RpcError } from '../../agent/rpc/rpc-error.ts';

function logOf(level: LogLevel): { readonly log: Log; readonly lines: () => readonly unknown[] } {
  const written: string[] = [];
  const log = createLog({
    level,
    clock: () => new Date('2026-11-27T00:00:00Z'),
    write: (line) => written.push(line),
  });
  return { log, lines: () => written.map((line) => JSON.parse(line) as unknown) };
}

describe('the log', () => {
  it('is a JSON object a line', () => {
    const { log, lines } = logOf('info');
    log.info('a\nb');
    expect(lines()).toEqual([{ level: 'info', time: '2026-11-27T00:00:00.000Z', msg: 'a\nb' }]);
  });

  it.each<[LogLevel, readonly string[]]>([
    ['off', []],
    ['error', ['error', 'failed']],
    ['warn', ['warn', 'error', 'failed']],
    ['info', ['info', 'warn', 'error', 'failed']],
    ['trace', ['info', 'warn', 'error', 'failed']],
  ])('at level %s', (level, expected) => {
    const { log, lines } = logOf(level);
    log.info('info');
    log.warn('warn');
    log.error('error');
    log.failure('path', new Error('why'));
    expect(lines().map((line) => (line as { msg: string }).msg)).toEqual(expected);
  });

  it('has the causes of a failure by their codes', () => {
    const { log, lines } = logOf('error');
    const refused = Object.assign(new Error('connect s3cret'), { code: 'ECONNREFUSED' });
    const client = new ClientError('SERVER_UNREACHABLE', 'expected a reply, got none', { cause: refused });
    log.failure('/a.B/C', new RpcError('UNAVAILABLE', 'failed (SERVER_UNREACHABLE)', { cause: client }));
    expect(lines()).toMatchObject([
      {
        path: '/a.B/C',
        causes: [
          { error: 'RpcError', code: 'UNAVAILABLE' },
          { error: 'ClientError', code: 'SERVER_UNREACHABLE', message: 'expected a reply, got none' },
          { error: 'system', code: 'ECONNREFUSED' },
        ],
      },
    ]);
    expect(JSON.stringify(lines())).not.toContain('s3cret');
  });

  it('has kind and place of errors that are not ours, and not their words', () => {
    const { log, lines } = logOf('error');
    log.failure('a', new TypeError('s3cret\nsecond s3cret'));
    log.failure('a', 's3cret');
    const [first, second] = lines() as { causes: { error: string; at?: readonly string[] }[] }[];
    expect(first?.causes[0]).toMatchObject({ error: 'TypeError' });
    expect(first?.causes[0]?.at?.[0]).toContain('log.test.ts');
    expect(second?.causes).toEqual([{ error: 'string' }]);
    expect(JSON.stringify(lines())).not.toContain('s3cret');
  });

  it('ends for errors that cause themselves', () => {
    const { log, lines } = logOf('error');
    const error = new Error('a');
    error.cause = error;
    log.failure('a', error);
    expect((lines()[0] as { causes: unknown[] }).causes).toHaveLength(4);
  });
});
