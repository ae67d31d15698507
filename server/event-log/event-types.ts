import type { JsonObject } from '../claims/claims.ts';
import { readEfiVariable } from './efi-variable.ts';
import { readDescription, readIplText, readPlatformConfigText, readText } from './event-text.ts';
import { readImageLoad } from './image-load.ts';
import { readTaggedEvent } from './tagged-event.ts';

/** Informs, and is not measured (TCG PC Client Platform Firmware Profile, "Event Types"). */
export const EV_NO_ACTION = 0x3;

export interface EventType {
  readonly name: string;
  /** Of types whose events have a form. Answers `undefined` where an event does not have it. */
  readonly readDetails?: (event: Uint8Array) => JsonObject | undefined;
}

/** TCG PC Client Platform Firmware Profile, "Event Types". The names are part of what policies see. */
const EVENT_TYPES: ReadonlyMap<number, EventType> = new Map<number, EventType>([
  [0x0, { name: 'EV_PREBOOT_CERT' }],
  [0x1, { name: 'EV_POST_CODE', readDetails: readText }],
  [0x2, { name: 'EV_UNUSED' }],
  [EV_NO_ACTION, { name: 'EV_NO_ACTION' }],
  [0x4, { name: 'EV_SEPARATOR' }],
  [0x5, { name: 'EV_ACTION', readDetails: readText }],
  [0x6, { name: 'EV_EVENT_TAG', readDetails: readTaggedEvent }],
  [0x7, { name: 'EV_S_CRTM_CONTENTS' }],
  [0x8, { name: 'EV_S_CRTM_VERSION' }],
  [0x9, { name: 'EV_CPU_MICROCODE' }],
  [0xa, { name: 'EV_PLATFORM_CONFIG_FLAGS', readDetails: readPlatformConfigText }],
  [0xb, { name: 'EV_TABLE_OF_DEVICES' }],
  [0xc, { name: 'EV_COMPACT_HASH', readDetails: readText }],
  [0xd, { name: 'EV_IPL', readDetails: readIplText }],
  [0xe, { name: 'EV_IPL_PARTITION_DATA' }],
  [0xf, { name: 'EV_NONHOST_CODE' }],
  [0x10, { name: 'EV_NONHOST_CONFIG' }],
  [0x11, { name: 'EV_NONHOST_INFO' }],
  [0x12, { name: 'EV_OMIT_BOOT_DEVICE_EVENTS', readDetails: readText }],
  [0x8000_0000, { name: 'EV_EFI_EVENT_BASE' }],
  [0x8000_0001, { name: 'EV_EFI_VARIABLE_DRIVER_CONFIG', readDetails: readEfiVariable }],
  [0x8000_0002, { name: 'EV_EFI_VARIABLE_BOOT', readDetails: readEfiVariable }],
  [0x8000_0003, { name: 'EV_EFI_BOOT_SERVICES_APPLICATION', readDetails: readImageLoad }],
  [0x8000_0004, { name: 'EV_EFI_BOOT_SERVICES_DRIVER' }],
  [0x8000_0005, { name: 'EV_EFI_RUNTIME_SERVICES_DRIVER' }],
  [0x8000_0006, { name: 'EV_EFI_GPT_EVENT' }],
  [0x8000_0007, { name: 'EV_EFI_ACTION', readDetails: readText }],
  [0x8000_0008, { name: 'EV_EFI_PLATFORM_FIRMWARE_BLOB' }],
  [0x8000_0009, { name: 'EV_EFI_HANDOFF_TABLES' }],
  [0x8000_000a, { name: 'EV_EFI_PLATFORM_FIRMWARE_BLOB2', readDetails: readDescription }],
  [0x8000_000b, { name: 'EV_EFI_HANDOFF_TABLES2', readDetails: readDescription }],
  [0x8000_000c, { name: 'EV_EFI_VARIABLE_BOOT2', readDetails: readEfiVariable }],
  [0x8000_0010, { name: 'EV_EFI_HCRTM_EVENT' }],
  [0x8000_00e0, { name: 'EV_EFI_VARIABLE_AUTHORITY', readDetails: readEfiVariable }],
  [0x8000_00e1, { name: 'EV_EFI_SPDM_FIRMWARE_BLOB' }],
  [0x8000_00e2, { name: 'EV_EFI_SPDM_FIRMWARE_CONFIG' }],
]);

/** A type that we do not know is opaque: it has a name that says so, and no details. */
export function eventTypeOf(code: number): EventType {
  return EVENT_TYPES.get(code) ?? { name: `EV_UNKNOWN(0x${code.toString(16)})` };
}
