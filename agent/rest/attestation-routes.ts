import { z } from 'zod';
import { fromBase64Url, fromUtf8, toUtf8 } from '../../server/bytes/encoding.ts';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import type { RpcClient } from '../rpc/client.ts';
import { type AttestationAgentService, RuntimeMeasurementResult } from '../rpc/gen/attestation_agent_pb.ts';
import { readParameters, required } from './request-target.ts';
import { RestError } from './rest-error.ts';
import { bytesReply, jsonReply, type Route } from './route.ts';

type Agent = RpcClient<typeof AttestationAgentService>;

/** `register_index` is ours: upstream's front always takes the agent's default. */
const eventSchema = z.strictObject({
  domain: z.string(),
  operation: z.string(),
  content: z.string(),
  register_index: z.int().min(0).optional(),
});

/** What upstream's front says of each result; it is 200 all the same. */
const FAILED_RESULTS: ReadonlyMap<RuntimeMeasurementResult, string> = new Map([
  [RuntimeMeasurementResult.NOT_SUPPORTED, 'The platform does not support runtime measurement'],
  [RuntimeMeasurementResult.NOT_ENABLED, 'Attestation Agent does not enable eventlog recording'],
]);

/** The paths below `/aa`: what the Attestation Agent says, over HTTP. They throw RestError, RpcError. */
export function attestationRoutes(agent: Agent): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/aa/token',
      async answer({ query, signal }) {
        const tokenType = required(readParameters(query, ['token_type']).token_type, 'token_type');
        return bytesReply((await agent.getToken({ tokenType }, { signal })).token);
      },
    },
    {
      method: 'GET',
      path: '/aa/evidence',
      async answer({ query, signal }) {
        const runtimeData = readRuntimeData(query);
        return bytesReply((await agent.getEvidence({ runtimeData }, { signal })).evidence);
      },
    },
    {
      method: 'GET',
      path: '/aa/additional-evidence',
      async answer({ query, signal }) {
        const runtimeData = readRuntimeData(query);
        return bytesReply((await agent.getAdditionalEvidence({ runtimeData }, { signal })).evidence);
      },
    },
    {
      method: 'POST',
      path: '/aa/aael',
      async answer({ query, readBody, signal }) {
        readParameters(query, []);
        const { register_index: index, ...event } = parseEvent(await readBody());
        const request = { ...event, ...(index !== undefined && { registerIndex: BigInt(index) }) };
        const { result } = await agent.extendRuntimeMeasurement(request, { signal });
        return jsonReply(resultDocument(result));
      },
    },
  ];
}

function resultDocument(result: RuntimeMeasurementResult): object {
  if (result === RuntimeMeasurementResult.OK) return { success: 'true' };
  return { success: 'false', message: FAILED_RESULTS.get(result) ?? 'Unknown runtime measurement result' };
}

/** Text as it is, or bytes by `encoding=base64`, which upstream takes in the alphabet for URLs, without padding. */
function readRuntimeData(query: string): Uint8Array {
  const parameters = readParameters(query, ['runtime_data', 'encoding']);
  const text = required(parameters.runtime_data, 'runtime_data');
  switch (parameters.encoding) {
    case undefined:
      return toUtf8(text);
    case 'base64':
      return orRefuse('PARAMETER_MALFORMED', 'runtime_data in base64url', () => fromBase64Url(text));
    default:
      throw new RestError('PARAMETER_MALFORMED', 'expected the encoding base64 or none, got another');
  }
}

function parseEvent(body: Uint8Array): z.output<typeof eventSchema> {
  const document = orRefuse('BODY_MALFORMED', 'JSON', () => parseJson(fromUtf8(body)));
  const parsed = eventSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new RestError('BODY_MALFORMED', "expected 'domain', 'operation' and 'content', got something else");
}

function orRefuse<T>(code: 'PARAMETER_MALFORMED' | 'BODY_MALFORMED', expected: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new RestError(code, `expected ${expected}, got something else`, { cause });
  }
}
