import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../server/claims/claims.ts';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { contentOf } from '../harness/database-content.ts';
import { beginSession } from '../harness/guest.ts';
import { type HttpReply, type HttpRequest, send } from '../harness/http.ts';
import { type JsonRoute, jsonRoutes } from '../harness/json-routes.ts';
import { type MemberPath, membersOf, withMember } from '../harness/malformed.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const BODY_LIMIT = 64 * 1024;

let database: TestDatabase;
let verigo: RunningVerigo;
let adminToken: string;

beforeAll(async () => {
  database = await createTestDatabase();
  verigo = await startVerigo({
    databaseUrl: database.url,
    config: { http: { body_limit_bytes: BODY_LIMIT }, kbs: { max_resource_bytes: BODY_LIMIT } },
  });
  adminToken = await verigo.adminToken();
});
afterAll(async () => {
  await verigo.close();
  await database.drop();
});

const routes = jsonRoutes(async () => await beginSession(verigo.url, 'sample'));

async function sendTo(route: JsonRoute, request: HttpRequest): Promise<HttpReply> {
  const headers = { ...(await route.headers?.()), ...request.headers };
  return await send(verigo.url, route.path, {
    method: route.method,
    token: route.isAdmin ? adminToken : undefined,
    ...request,
    headers,
  });
}

/** A refusal that a program can act on: a status, a stable code, and a body in the form that its face speaks. */
function assertRefusal(reply: HttpReply, face: JsonRoute['face'], what: string): void {
  expect(reply.status, `${what}: ${reply.text}`).toBeGreaterThanOrEqual(400);
  expect(reply.status, `${what}: ${reply.text}`).toBeLessThan(500);
  expect(reply.code, what).toMatch(/^[A-Z][A-Z_]+$/);
  const body = reply.json() as Record<string, unknown>;
  if (face === 'broker') {
    expect(reply.headers.get('content-type'), what).toMatch(/^application\/json/);
    expect(Object.keys(body).toSorted(), what).toEqual(['detail', 'type']);
    expect(body['type'], what).toMatch(
      /^https:\/\/github\.com\/confidential-containers\/kbs\/errors\/[A-Za-z]+$/,
    );
  } else {
    expect(reply.headers.get('content-type'), what).toMatch(/^application\/problem\+json/);
    expect(body, what).toMatchObject({
      status: reply.status,
      code: reply.code,
      type: `urn:verigo:error:${reply.code ?? ''}`,
    });
  }
  expect(reply.detail.length, what).toBeGreaterThan(0);
  expect(reply.text, what).not.toMatch(/\bat .*\.ts:\d+|node_modules|ZodError/);
}

const named = (path: MemberPath): string => path.join('.');
const isWithin = (path: MemberPath, names: readonly string[] = []): boolean =>
  names.some((name) => named(path) === name || named(path).startsWith(`${name}.`));
/** Another type than that of the member. */
const others = (value: Json): readonly Json[] =>
  ([1, 'text that is not meant', true, [], {}, ['text'], { a: 1 }] as const).filter(
    (other) => Array.isArray(other) !== Array.isArray(value) || typeof other !== typeof value,
  );

function memberAt(document: Json, path: MemberPath): Json {
  return path.reduce<Json>((value, name) => (value as JsonObject)[name] ?? null, document);
}

describe.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (_name, route) => {
    const members = async () => membersOf(await route.valid());

    test('each member missing or null', async () => {
      const before = await contentOf(database.db);
      const { free = [], optional = [] } = route;
      const needed = (await members()).filter((path) => !optional.includes(named(path)));
      for (const path of needed.filter((one) => !isWithin(one, free) || free.includes(named(one)))) {
        const reply = await sendTo(route, { json: withMember(await route.valid(), path, undefined) });
        assertRefusal(reply, route.face, `${named(path)} missing`);
      }
      for (const path of needed.filter((one) => !isWithin(one, free))) {
        const reply = await sendTo(route, { json: withMember(await route.valid(), path, null) });
        assertRefusal(reply, route.face, `${named(path)} null`);
      }
      expect(await contentOf(database.db)).toEqual(before);
    });

    test('each member of another type', async () => {
      const before = await contentOf(database.db);
      for (const path of await members()) {
        if (isWithin(path, route.free)) continue;
        const valid = await route.valid();
        for (const other of others(memberAt(valid, path))) {
          const reply = await sendTo(route, { json: withMember(valid, path, other) });
          assertRefusal(reply, route.face, `${named(path)} as ${JSON.stringify(other)}`);
        }
      }
      expect(await contentOf(database.db)).toEqual(before);
    });

    test('each text too long, or with characters that are not meant', async () => {
      const before = await contentOf(database.db);
      for (const path of await members()) {
        const valid = await route.valid();
        if (isWithin(path, route.free) || typeof memberAt(valid, path) !== 'string') continue;
        if (isWithin(path, route.anyText)) continue;
        for (const text of [
          'x'.repeat(BODY_LIMIT - 4096),
          '\u0000',
          '../../etc/passwd',
          'ünïcödé',
          '=',
          'AA==',
          'A=',
        ]) {
          const reply = await sendTo(route, { json: withMember(valid, path, text) });
          assertRefusal(reply, route.face, `${named(path)} as ${text.slice(0, 20)}`);
        }
      }
      expect(await contentOf(database.db)).toEqual(before);
    });

    test('a body that is no such document', async () => {
      const before = await contentOf(database.db);
      const text = JSON.stringify(await route.valid());
      const first = Object.keys(await route.valid())[0]!;
      const bodies: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, readonly string[]])[] = [
        ['cut short', text.slice(0, -1), ['JSON_MALFORMED']],
        ['something behind it', `${text}x`, ['JSON_MALFORMED']],
        ['two documents', text + text, ['JSON_MALFORMED']],
        ['a comma too many', text.replace(/\}$/, ',}'), ['JSON_MALFORMED']],
        ['single quotes', text.replaceAll('"', "'"), ['JSON_MALFORMED']],
        ['NaN', `{"${first}":NaN}`, ['JSON_MALFORMED']],
        ['a byte order mark', `\ufeff${text}`, ['JSON_MALFORMED', 'ENCODING_MALFORMED']],
        ['UTF-16', Buffer.from(text, 'utf16le'), ['JSON_MALFORMED', 'ENCODING_MALFORMED']],
        [
          'invalid UTF-8',
          Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff]), Buffer.from(text.slice(-2))]),
          ['ENCODING_MALFORMED'],
        ],
        ['one member twice', text.replace('{', `{${JSON.stringify(first)}:null,`), ['JSON_DUPLICATE_KEY']],
        [
          'one member twice in another spelling',
          text.replace(
            '{',
            `{"\\u${first.charCodeAt(0).toString(16).padStart(4, '0')}${first.slice(1)}":null,`,
          ),
          ['JSON_DUPLICATE_KEY'],
        ],
        ['a member named __proto__', text.replace('{', '{"__proto__":{},'), ['JSON_FORBIDDEN_KEY']],
        [
          'deep nesting',
          text.replace('{', `{"deep":${'['.repeat(100)}${']'.repeat(100)},`),
          ['JSON_TOO_DEEP'],
        ],
        ['deeper nesting', '['.repeat(BODY_LIMIT / 4), ['JSON_TOO_DEEP', 'BODY_TOO_LARGE']],
        ['a list', `[${text}]`, ['SCHEMA_REFUSED', 'REQUEST_MALFORMED']],
        ['a text', JSON.stringify(text), ['SCHEMA_REFUSED', 'REQUEST_MALFORMED']],
        ['null', 'null', ['SCHEMA_REFUSED', 'REQUEST_MALFORMED']],
        ['a number', '1', ['SCHEMA_REFUSED', 'REQUEST_MALFORMED']],
        ['an empty object', '{}', ['SCHEMA_REFUSED', 'REQUEST_MALFORMED']],
        ['nothing', '', ['JSON_MALFORMED', 'SCHEMA_REFUSED', 'REQUEST_MALFORMED']],
        ['compressed', gzipSync(text), ['ENCODING_MALFORMED']],
      ];
      for (const [what, body, codes] of bodies) {
        const reply = await sendTo(route, { body });
        assertRefusal(reply, route.face, what);
        expect(codes, `${what}: ${reply.text}`).toContain(reply.code);
      }
      expect(await contentOf(database.db)).toEqual(before);
    });

    test('a body that is too large, of another type, or encoded', async () => {
      const before = await contentOf(database.db);
      const text = JSON.stringify(await route.valid());
      const large = await sendTo(route, { body: text.replace('{', `{"more":"${'x'.repeat(BODY_LIMIT)}",`) });
      assertRefusal(large, route.face, 'large');
      expect(large).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
      if (route.face === 'verigo') {
        for (const type of [
          'text/plain',
          'application/x-www-form-urlencoded',
          'application/xml',
          'multipart/form-data',
          'nonsense',
        ]) {
          const reply = await sendTo(route, { body: text, headers: { 'content-type': type } });
          assertRefusal(reply, route.face, type);
          expect(reply).toMatchObject({ status: 415, code: 'MEDIA_TYPE_UNSUPPORTED' });
        }
      }
      const gzipped = await sendTo(route, {
        body: gzipSync(text),
        headers: { 'content-encoding': 'gzip' },
      });
      assertRefusal(gzipped, route.face, 'gzip');
      expect(await contentOf(database.db)).toEqual(before);
    });

    test('another method', async () => {
      for (const method of ['PATCH', 'DELETE', 'OPTIONS'] as const) {
        if (method === 'DELETE' && route.path.includes('reference-values')) continue;
        const reply = await sendTo(route, { method });
        assertRefusal(reply, route.face, method);
        // Upstream's broker takes what it has no route for as the name of a plugin.
        const codes =
          route.face === 'broker' ? /^(METHOD_NOT_ALLOWED|PLUGIN_NOT_FOUND)$/ : /^METHOD_NOT_ALLOWED$/;
        expect(reply.code, `${method}: ${reply.text}`).toMatch(codes);
        if (reply.code === 'METHOD_NOT_ALLOWED') expect(reply.status).toBe(405);
      }
    });

    if (route.isAdmin) {
      test('no administrator, before the body is looked at', async () => {
        for (const token of [undefined, 'abc', 'a.b.c']) {
          const reply = await send(verigo.url, route.path, {
            method: route.method,
            body: '{',
            ...(token !== undefined && { token }),
          });
          assertRefusal(reply, route.face, String(token));
          expect(reply.status).toBe(401);
          expect(reply.code).toMatch(/^ADMIN_TOKEN_(MISSING|REFUSED)$/);
        }
      });
    }
  },
);

test('after all of it the server still answers', async () => {
  expect(await send(verigo.url, '/readyz')).toMatchObject({ status: 200 });
  const valid = await routes[1]!.valid();
  const reply = await send(verigo.url, '/attestation', {
    json: withMember(valid, ['verification_requests', '0', 'init_data'], undefined),
  });
  expect(reply.status, reply.text).toBe(200);
});
