import { expect, test } from 'vitest';
import { createOfflineGetter } from '../../../../agent/data-hub/get-resource/offline-resources.ts';

const KEYS = JSON.stringify({ 'default/key/1': Buffer.from('key1').toString('base64') });
const RESOURCES = JSON.stringify({ 'default/credential/x': 'eA==', 'default/key/1': 'bGF0ZXI=' });

function getter(...texts: (string | undefined)[]): (uri: string) => Promise<string> {
  const get = createOfflineGetter({ texts, onDuplicate: () => undefined });
  return async (uri) => Buffer.from(await get(uri)).toString();
}

test('resources of all files; host, plugin and query mean nothing', async () => {
  const get = getter(KEYS, undefined, '{"default/credential/x":"eA=="}');
  expect(await get('kbs:///default/key/1')).toBe('key1');
  expect(await get('kbs+any://host/default/credential/x?a=b')).toBe('x');
});

test('the later of two files counts, and that is told', async () => {
  const twice: string[] = [];
  const get = createOfflineGetter({ texts: [KEYS, RESOURCES], onDuplicate: (name) => twice.push(name) });
  expect(Buffer.from(await get('kbs:///default/key/1')).toString()).toBe('later');
  expect(twice).toEqual(['default/key/1']);
});

test('whoever wipes what they got does not wipe what is kept', async () => {
  const get = createOfflineGetter({ texts: [KEYS], onDuplicate: () => undefined });
  (await get('kbs:///default/key/1')).fill(0);
  expect(Buffer.from(await get('kbs:///default/key/1')).toString()).toBe('key1');
});

test.each([
  ['what is not there', 'kbs:///default/credential/not-existed', 'OFFLINE_RESOURCE_NOT_FOUND'],
  ['what every object has', 'kbs:///constructor', 'OFFLINE_RESOURCE_NOT_FOUND'],
  ['a path that climbs', 'kbs:///default/key/../key/1', 'RESOURCE_URI_PATH_REFUSED'],
])('%s', async (_what, uri, code) => {
  await expect(getter(KEYS)(uri)).rejects.toMatchObject({ code });
});

test.each([
  ['no JSON', '{'],
  ['a list', '[]'],
  ['a value that is no text', '{"a":1}'],
  ['a value that is no base64', '{"a":"?"}'],
  ['a name twice', '{"a":"","a":""}'],
])('a file with %s', (_what, text) => {
  expect(() => getter(text)).toThrow(expect.objectContaining({ code: 'OFFLINE_FILE_MALFORMED' }));
});
