import type { Buffer } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { fromUtf8 } from '../bytes/encoding.ts';
import { parseJson } from '../json/strict-json.ts';

/** Reads JSON bodies strictly in this scope: no duplicate keys, bounded depth, UTF-8. Other content types get 415. */
export function useStrictJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, body: Buffer): Promise<unknown> => parseJson(fromUtf8(body)),
  );
}
