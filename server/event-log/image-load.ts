import { ByteReader } from '../bytes/byte-reader.ts';
import type { JsonObject } from '../claims/claims.ts';
import { readDevicePath } from './device-path.ts';

const HEADER_BYTES = 4 * 8;

/**
 * UEFI_IMAGE_LOAD_EVENT (TCG PC Client Platform Firmware Profile): where the image came from. An image that was loaded from
 * memory has no path. `undefined` for an event of another form.
 */
export function readImageLoad(event: Uint8Array): JsonObject | undefined {
  if (event.byteLength < HEADER_BYTES) return undefined;
  const reader = new ByteReader(event);
  reader.bytes(8 + 8 + 8); // ImageLocationInMemory, ImageLengthInMemory, ImageLinkTimeAddress
  const pathLength = Number(reader.u64le()); // LengthOfDevicePath
  if (pathLength !== reader.remaining) return undefined;
  if (pathLength === 0) return {};
  const paths = readDevicePath(reader.bytes(pathLength)); // DevicePath
  return paths && { device_paths: paths };
}
