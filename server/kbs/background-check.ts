import type { Attest } from '../attestation/attest.ts';
import type { AttestationRequest } from '../attestation/attestation-request.ts';
import { toBase64Url, toUtf8 } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import { isTee, type Tee } from '../evidence/tee.ts';
import { jsonText } from '../json/json-text.ts';
import { parseJsonWithBigInts } from '../json/strict-json.ts';
import type { AttestationMessage } from '../protocol/background-check.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import { assertNonce, type Handshake, openHandshake } from './handshake.ts';
import { KbsError } from './kbs-error.ts';
import { readSessionCookie, type SessionCookie } from './session-cookie.ts';
import type { SessionRepository } from './session-repository.ts';

export interface BackgroundCheckDependencies {
  readonly openTicket: (text: string, at: Date) => Uint8Array;
  /** The attestation service. A nonce works there once: of two calls with one handshake, one is refused. */
  readonly attest: Attest;
  readonly sessions: Pick<SessionRepository, 'create'>;
  readonly lifetimeSeconds: number;
}

export interface AttestedSession {
  /** The attestation service's own token: a key broker mints none. */
  readonly token: string;
  readonly cookie: SessionCookie;
  readonly expiresAt: Date;
  readonly decisionId: string;
  readonly warnings: readonly string[];
}

export type BackgroundCheck = (
  cookieHeader: string | undefined,
  message: AttestationMessage,
  at: Date,
) => Promise<AttestedSession>;

type VerificationRequest = AttestationRequest['verification_requests'][number];

/** One fewer than the attestation service takes in one request: the primary TEE is one. */
const MAX_DEVICES = 31;

/**
 * The background check of RATS: the guest's evidence is carried to the attestation service, and its token back. The
 * session gets an id of its own in place of the handshake's ticket. Throws KbsError, DecidedError.
 */
export function createBackgroundCheck(dependencies: BackgroundCheckDependencies): BackgroundCheck {
  const { openTicket, attest, sessions, lifetimeSeconds } = dependencies;
  return async (cookieHeader, message, at) => {
    const handshake = openHandshake(handshakeTicket(cookieHeader), openTicket, at);
    assertNonce(message['runtime-data'].nonce, handshake);
    const { token, decisionId, warnings } = await attest(attestationRequest(message, handshake), at);
    const expiresAt = new Date(at.getTime() + lifetimeSeconds * 1000);
    const id = await sessions.create(token, expiresAt);
    return { token, cookie: { kind: 'session', value: id }, expiresAt, decisionId, warnings };
  };
}

function handshakeTicket(cookieHeader: string | undefined): string {
  const cookie = readSessionCookie(cookieHeader);
  if (cookie === undefined) {
    throw new KbsError('SESSION_MISSING', 'expected the cookie that /kbs/v0/auth gave, got none');
  }
  if (cookie.kind === 'session') {
    throw new KbsError(
      'SESSION_ALREADY_ATTESTED',
      'expected a handshake that waits for evidence, got one that is attested: begin another with /kbs/v0/auth',
    );
  }
  return cookie.value;
}

/**
 * What the attestation service is asked. The primary's runtime data covers the devices' evidence as text, which chains
 * the devices to the TEE.
 */
function attestationRequest(message: AttestationMessage, handshake: Handshake): AttestationRequest {
  const { nonce, 'tee-pubkey': key } = message['runtime-data'];
  const { primary_evidence: primary, additional_evidence: additional } = message['tee-evidence'];
  const request = (tee: Tee, evidence: unknown, bound: object): VerificationRequest => ({
    tee,
    evidence: toBase64Url(toUtf8(jsonText(evidence))),
    runtime_data: { structured: { 'tee-pubkey': key, nonce, ...bound } },
    init_data: undefined,
    runtime_data_hash_algorithm: handshake.hashAlgorithm,
  });
  return {
    verification_requests: [
      {
        ...request(handshake.tee, primary, { 'additional-evidence': additional }),
        init_data: initDataOf(message),
      },
      ...parseDevices(additional).map(([tee, evidence]) => request(tee, evidence, {})),
    ],
    policy_ids: [],
  };
}

function initDataOf(message: AttestationMessage): VerificationRequest['init_data'] {
  const initData = message['init-data'] ?? undefined;
  if (initData === undefined) return undefined;
  if (initData.format === 'toml') return { init_data_toml: initData.body };
  throw new KbsError('INIT_DATA_FORMAT_UNSUPPORTED', "expected init data of format 'toml', got another");
}

/** `""`, or a JSON object of evidence by TEE, in the order in which it came. */
function parseDevices(text: string): readonly (readonly [Tee, unknown])[] {
  if (text === '') return [];
  let devices: unknown;
  try {
    devices = parseJsonWithBigInts(text);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw malformedDevices(`: ${cause.message}`, cause);
  }
  if (!isJsonObject(devices)) throw malformedDevices('');
  const entries = Object.entries(devices);
  if (entries.length > MAX_DEVICES) throw malformedDevices(` of at most ${MAX_DEVICES} TEEs`);
  return entries.map(([tee, evidence]) => {
    if (!isTee(tee)) throw malformedDevices(' of TEEs that have a name');
    return [tee, evidence];
  });
}

function malformedDevices(what: string, cause?: unknown): KbsError {
  return new KbsError(
    'ADDITIONAL_EVIDENCE_MALFORMED',
    `expected 'additional_evidence' to be empty or the text of a JSON object${what}`,
    { cause },
  );
}
