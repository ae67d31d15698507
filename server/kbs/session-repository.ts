import { randomBytes } from 'node:crypto';
import { sha256 } from '../bytes/byte-strings.ts';
import { fromUtf8, toBase64Url, toHex, toUtf8 } from '../bytes/encoding.ts';
import type { AtRest } from '../storage/at-rest.ts';
import type { Db } from '../storage/database.ts';

/** Attested sessions: an id that the guest holds leads to its token. */
export interface SessionRepository {
  /** Keeps the token and returns the new session's id: 256 random bits, base64url. */
  create(token: string, expiresAt: Date): Promise<string>;
  /** The token of a session that has not expired. */
  findToken(id: string, at: Date): Promise<string | undefined>;
}

const ID_LENGTH = 32;

/**
 * The database holds neither an id nor a token in the clear: only the id's hash, and the token sealed to it. Whoever
 * reads the table can open nothing with it. Expired rows are swept away by the storage.
 */
export function createSessionRepository(db: Db, atRest: AtRest): SessionRepository {
  return {
    async create(token, expiresAt) {
      const id = toBase64Url(randomBytes(ID_LENGTH));
      const idHash = sha256(id);
      await db
        .insertInto('kbs_session')
        .values({
          id_hash: idHash,
          sealed_token: await atRest.seal(toUtf8(token), contextOf(idHash)),
          expires_at: expiresAt,
        })
        .execute();
      return id;
    },

    async findToken(id, at) {
      const idHash = sha256(id);
      const row = await db
        .selectFrom('kbs_session')
        .select('sealed_token')
        .where('id_hash', '=', idHash)
        .where('expires_at', '>', at)
        .executeTakeFirst();
      return row && fromUtf8(await atRest.open(row.sealed_token, contextOf(idHash)));
    },
  };
}

function contextOf(idHash: Uint8Array): string {
  return `kbs_session ${toHex(idHash)}`;
}
