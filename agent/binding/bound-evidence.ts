import canonicalize from 'canonicalize';
import type { JsonObject } from '../../server/claims/claims.ts';
import { jsonText } from '../../server/json/json-text.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { isJsonObject } from '../../server/protocol/json-object.ts';
import {
  type EvidenceDocument,
  EvidenceError,
  type EvidenceProvider,
  type EvidenceSource,
  evidenceFor,
} from '../attestation-agent/evidence-provider.ts';
import { base64Text, utf8Bytes } from '../text-encoding.ts';
import type { BindingHash, Digester } from './binding-hash.ts';

/** What a guest's evidence is bound to: freshness, and the key that resources are sealed to. */
export interface RuntimeData {
  readonly nonce: string;
  readonly 'tee-pubkey': JsonObject;
}

export interface DeviceEvidence {
  readonly tee: string;
  readonly evidence: EvidenceDocument;
}

export interface BoundEvidence {
  readonly primary: EvidenceDocument;
  readonly devices: readonly DeviceEvidence[];
  /** The devices' evidence by TEE as JSON text; empty when there are none. The primary evidence is bound to this text. */
  readonly additional: string;
}

/**
 * Collects evidence as the key broker's protocol binds it: each device to the digest of the runtime data (RFC 8785), the
 * TEE to the digest of the same with the text of the devices' evidence, so that nobody exchanges a device.
 */
export async function collectEvidence(
  provider: EvidenceProvider,
  data: RuntimeData,
  hash: BindingHash,
  digester: Digester,
): Promise<BoundEvidence> {
  const devices = await collectDevices(provider.devices, await bindingDigest(data, hash, digester));
  const additional =
    devices.length === 0
      ? ''
      : jsonText(Object.fromEntries(devices.map(({ tee, evidence }) => [tee, evidence])));
  const digest = await bindingDigest({ ...data, 'additional-evidence': additional }, hash, digester);
  return {
    primary: await evidenceFor(provider, primaryReportData(provider, data, digest)),
    devices,
    additional,
  };
}

/** H(JCS(document)). */
export async function bindingDigest(
  document: RuntimeData & { readonly 'additional-evidence'?: string },
  hash: BindingHash,
  digester: Digester,
): Promise<Uint8Array> {
  const text = canonicalize(document);
  if (text === undefined)
    throw new EvidenceError('EVIDENCE_UNAVAILABLE', 'expected runtime data that is JSON');
  return await digester.digest(hash, text);
}

async function collectDevices(
  sources: readonly EvidenceSource[],
  digest: Uint8Array,
): Promise<readonly DeviceEvidence[]> {
  const devices: DeviceEvidence[] = [];
  // One after the other: drivers of devices are not known for taking several requests at once.
  for (const source of sources) {
    devices.push({ tee: source.tee, evidence: await evidenceFor(source, digest) });
  }
  return devices;
}

/**
 * IBM Secure Execution is asked with the whole challenge, which is the verifier's request as JSON, and the digest in it;
 * every other TEE carries the digest.
 */
export function primaryReportData(
  { tee }: EvidenceSource,
  { nonce }: Pick<RuntimeData, 'nonce'>,
  digest: Uint8Array,
): Uint8Array {
  if (tee !== 'se') return digest;
  const request = parseJson(nonce);
  if (!isJsonObject(request)) {
    throw new EvidenceError('EVIDENCE_UNAVAILABLE', "expected the challenge for 'se' to be a JSON object");
  }
  return utf8Bytes(JSON.stringify({ ...request, runtime_data_digest: base64Text(digest) }));
}
