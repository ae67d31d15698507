import { afterEach, describe, expect, it } from 'vitest';
import {
  createMetadataService,
  type MetadataService,
} from '../../../../../agent/attestation-agent/attesters/azure/metadata-service.ts';
import {
  json,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from '../../../../fakes/scripted-server.ts';

const servers: ScriptedServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serviceOf(script: Script): Promise<MetadataService> {
  const server = await startScriptedServer(script);
  servers.push(server);
  return createMetadataService({ baseUrl: server.url, deadlineMilliseconds: 300 });
}

describe('createMetadataService', () => {
  it('asks for the certificate as the service wants it', async () => {
    const service = await serviceOf(({ method, path, headers }) =>
      json({ vcekCert: `${method} ${path} ${String(headers['metadata'])}` }),
    );
    expect(await service.vcek()).toBe('GET /metadata/THIM/amd/certification true');
  });

  it('sends the report, and takes the quote with and without padding', async () => {
    for (const quote of ['_-8', '_-8=']) {
      const service = await serviceOf(({ text, path }) =>
        text === '{"report":"-_8"}' && path === '/acc/tdquote' ? json({ quote }) : { status: 400 },
      );
      expect(await service.tdQuote(Buffer.of(0xfb, 0xff))).toEqual(Buffer.of(0xff, 0xef));
    }
  });

  it.each<[string, string, Script]>([
    ['another status', 'METADATA_SERVICE_UNAVAILABLE', () => ({ status: 429 })],
    [
      'a redirect',
      'METADATA_SERVICE_UNAVAILABLE',
      () => ({ status: 302, headers: { location: 'http://127.0.0.1/' } }),
    ],
    ['no answer in time', 'METADATA_SERVICE_UNAVAILABLE', () => ({ hangs: true })],
    ['a broken connection', 'METADATA_SERVICE_UNAVAILABLE', () => ({ breaks: true })],
    ['no JSON', 'METADATA_REPLY_MALFORMED', () => ({ body: '<html>' })],
    ['no UTF-8', 'METADATA_REPLY_MALFORMED', () => ({ body: Buffer.of(0xff) })],
    ['an array', 'METADATA_REPLY_MALFORMED', () => json([])],
    ['another member', 'METADATA_REPLY_MALFORMED', () => json({ other: 'x' })],
    ['an empty text', 'METADATA_REPLY_MALFORMED', () => json({ vcekCert: '', quote: '' })],
    ['a number', 'METADATA_REPLY_MALFORMED', () => json({ vcekCert: 1, quote: 1 })],
    ['too much', 'METADATA_REPLY_MALFORMED', () => ({ body: `"${'x'.repeat(128 * 1024)}"` })],
  ])('refuses %s', async (_what, code, script) => {
    const service = await serviceOf(script);
    await expect(service.vcek()).rejects.toMatchObject({ code });
    await expect(service.tdQuote(new Uint8Array(1024))).rejects.toMatchObject({ code });
  });

  it('refuses a quote that is not base64url', async () => {
    const service = await serviceOf(() => json({ quote: 'a+b/' }));
    await expect(service.tdQuote(new Uint8Array(1024))).rejects.toMatchObject({
      code: 'METADATA_REPLY_MALFORMED',
    });
  });
});
