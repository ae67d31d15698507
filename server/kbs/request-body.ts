import { fromUtf8 } from '../bytes/encoding.ts';
import { parseJsonWithBigInts } from '../json/strict-json.ts';

/** Reads a JSON body, whatever its declared type: clients of this protocol have never had to declare one. */
export async function readJsonBody(_request: unknown, body: Uint8Array): Promise<unknown> {
  return parseJsonWithBigInts(fromUtf8(body));
}

/** Takes a body as the bytes that it is. */
export async function readRawBody(_request: unknown, body: Uint8Array): Promise<Uint8Array> {
  return body;
}
