import { basename, dirname } from 'node:path';
import type { ConfigFileSystem } from '../../agent/attestation-agent/attesters/tsm/config-file-system.ts';

export const TSM_FOLDER = '/sys/kernel/config/tsm/report';

interface FakeBlobs {
  readonly outblob: Uint8Array;
  readonly auxblob?: Uint8Array;
}

export interface FakeTsmOptions {
  /** `undefined`: no driver has registered. */
  readonly provider?: string | undefined;
  /** What the driver answers; it may throw `systemError(…)`. */
  readonly report?: (reportData: Uint8Array, privilegeLevel: number) => FakeBlobs;
  /** Drivers with levels show `privlevel` and `privlevel_floor`. */
  readonly privilegeFloor?: number;
  readonly hasAuxblob?: boolean;
  /** Called after each operation, before its caller goes on: somebody else's turn. */
  readonly meanwhile?: (operation: string, entry: FakeTsmEntry) => void;
}

/** What a test may do to an entry from outside, as another process would. */
export interface FakeTsmEntry {
  write(attribute: string, bytes: Uint8Array): void;
}

export interface FakeConfigfsTsm {
  readonly fileSystem: ConfigFileSystem;
  /** Names of the entries that are there. */
  entries(): readonly string[];
  /** How many entries were ever made. */
  readonly made: () => number;
}

/** As the system calls fail. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the kernel says`), { code });
}

/**
 * configfs-tsm as Linux has it (drivers/virt/coco/tsm.c, fs/configfs/file.c), attribute by attribute: what is read and
 * written, when a report is made, how generations are counted, and which error comes when.
 */
export function fakeConfigfsTsm(options: FakeTsmOptions = {}): FakeConfigfsTsm {
  const entries = new Map<string, Entry>();
  let made = 0;
  const entryOf = (path: string): Entry => {
    const entry = dirname(path) === TSM_FOLDER ? entries.get(basename(path)) : undefined;
    if (entry === undefined) throw systemError('ENOENT');
    return entry;
  };
  const meanwhile = (operation: string, entry: Entry): void => options.meanwhile?.(operation, entry);
  return {
    entries: () => [...entries.keys()],
    made: () => made,
    fileSystem: {
      async mkdir(path) {
        if (dirname(path) !== TSM_FOLDER) throw systemError('ENOENT');
        if (entries.has(basename(path))) throw systemError('EEXIST');
        if (options.provider === undefined) throw systemError('ENXIO');
        const entry = new Entry(options);
        entries.set(basename(path), entry);
        made++;
        meanwhile('mkdir', entry);
      },
      async read(path, maximum) {
        const entry = entryOf(dirname(path));
        const bytes = entry.read(basename(path));
        meanwhile(`read ${basename(path)}`, entry);
        return bytes.subarray(0, maximum + 1);
      },
      async write(path, bytes) {
        const entry = entryOf(dirname(path));
        entry.write(basename(path), bytes);
        meanwhile(`write ${basename(path)}`, entry);
      },
      async rmdir(path) {
        entryOf(path);
        entries.delete(basename(path));
      },
    },
  };
}

const INBLOB_MAX = 64;
const PRIVLEVEL_MAX = 3;

class Entry implements FakeTsmEntry {
  readonly #options: FakeTsmOptions;
  #inblob = new Uint8Array();
  #privilegeLevel = 0;
  #blobs: FakeBlobs | undefined;
  #writeGeneration = 0n;
  #readGeneration = 0n;

  constructor(options: FakeTsmOptions) {
    this.#options = options;
  }

  read(attribute: string): Uint8Array {
    if (attribute === 'inblob') throw systemError('EACCES');
    if (attribute === 'outblob') return this.#report().outblob;
    if (attribute === 'provider') return Buffer.from(`${this.#options.provider}\n`);
    if (attribute === 'generation') return Buffer.from(`${this.#writeGeneration}\n`);
    return this.#readOptional(attribute);
  }

  /** What not every driver shows. */
  #readOptional(attribute: string): Uint8Array {
    const { privilegeFloor: floor, hasAuxblob = false } = this.#options;
    if (attribute === 'privlevel_floor' && floor !== undefined) return Buffer.from(`${floor}\n`);
    if (attribute === 'privlevel' && floor !== undefined) throw systemError('EACCES');
    if (attribute === 'auxblob' && hasAuxblob) return this.#report().auxblob ?? new Uint8Array();
    throw systemError('ENOENT');
  }

  write(attribute: string, bytes: Uint8Array): void {
    switch (attribute) {
      case 'inblob':
        if (bytes.byteLength > INBLOB_MAX) throw systemError('EFBIG');
        this.#advance();
        this.#inblob = Uint8Array.from(bytes);
        return;
      case 'privlevel':
        this.#writePrivilegeLevel(Buffer.from(bytes).toString());
        return;
      case 'provider':
      case 'generation':
      case 'outblob':
        throw systemError('EACCES');
      default:
        throw systemError('ENOENT');
    }
  }

  #writePrivilegeLevel(text: string): void {
    const floor = this.#options.privilegeFloor;
    if (floor === undefined) throw systemError('ENOENT');
    const level = /^\d+\n?$/.test(text) ? Number(text) : -1;
    if (level < floor || level > PRIVLEVEL_MAX) throw systemError('EINVAL');
    this.#advance();
    this.#privilegeLevel = level;
  }

  /** try_advance_write_generation: refuses the write that would make the counters meet again without a read. */
  #advance(): void {
    if (this.#writeGeneration === BigInt.asUintN(64, this.#readGeneration - 1n)) throw systemError('EBUSY');
    this.#writeGeneration = BigInt.asUintN(64, this.#writeGeneration + 1n);
  }

  /** A report is made when it is read, and kept until something is written again. */
  #report(): FakeBlobs {
    if (this.#inblob.byteLength === 0) throw systemError('EINVAL');
    if (this.#blobs !== undefined && this.#readGeneration === this.#writeGeneration) return this.#blobs;
    this.#blobs = undefined;
    const { report = (outblob) => ({ outblob }) } = this.#options;
    this.#blobs = report(this.#inblob, this.#privilegeLevel);
    this.#readGeneration = this.#writeGeneration;
    return this.#blobs;
  }
}
