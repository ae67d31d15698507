import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { boundTokenText, fingerprintOf } from '../../../../agent/binding/bound-token-text.ts';
import { checkTokenOnArrival } from '../../../../agent/binding/token-on-arrival.ts';
import { createAskAgent } from '../../../../agent/data-hub/get-resource/attestation-agent.ts';
import { type Broker, createBrokerGetter } from '../../../../agent/data-hub/get-resource/broker-getter.ts';
import type { GetResource } from '../../../../agent/kbs-client/resource-servers.ts';
import { createRpcClient } from '../../../../agent/rpc/client.ts';
import { AttestationAgentService } from '../../../../agent/rpc/gen/attestation_agent_pb.ts';
import { RpcError } from '../../../../agent/rpc/rpc-error.ts';
import { createTtrpcTransport } from '../../../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { createTeeKey, type TeeKey } from '../../../../agent/tee-key/tee-key.ts';
import { systemClock } from '../../../../server/clock.ts';
import {
  type FakeAttestationAgent,
  startFakeAttestationAgent,
} from '../../../fakes/fake-attestation-agent.ts';
import { plainServer, QUICK } from '../../../fakes/fake-guest.ts';
import { boundClaims, fakeToken } from '../../../fakes/fake-token.ts';
import { kbsRefusal, type Script, startScriptedServer } from '../../../fakes/scripted-server.ts';
import { createGuestPlace, type GuestPlace } from '../../../harness/data-hub.ts';

const WHEN = { at: new Date(), skewSeconds: 60 };
let key: TeeKey;
let place: GuestPlace;
let agent: FakeAttestationAgent;

beforeAll(async () => {
  key = await createTeeKey();
});
beforeEach(async () => {
  place = await createGuestPlace();
  agent = await startFakeAttestationAgent(place.address('aa'));
  let count = 0;
  agent.state.getToken = async (type) => boundText(`${type} ${++count}`);
  place.defer(async () => {
    await agent.close();
  });
});
afterEach(async () => {
  await place.close();
});

function tokenOf(issuer: string): string {
  return fakeToken({ ...boundClaims(key.publicJwk, WHEN.at), iss: issuer });
}

function boundText(issuer: string): string {
  return boundTokenText(checkTokenOnArrival(tokenOf(issuer), key, WHEN));
}

/** Who issued the token that a request shows. */
function issuerOf(authorization = ''): string {
  const claims = Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString();
  return (JSON.parse(claims) as { iss: string }).iss;
}

async function broker(script: Script, tokenType = 'kbs'): Promise<Broker> {
  const server = await startScriptedServer(script);
  place.defer(async () => {
    await server.close();
  });
  return { server: plainServer(server.url), tokenType };
}

function getter(brokers: Readonly<Record<string, Broker>>): GetResource {
  const transport = createTtrpcTransport(place.address('aa'));
  place.defer(() => {
    transport.close();
  });
  return createBrokerGetter({
    brokers: new Map(Object.entries(brokers)),
    askAgent: createAskAgent(createRpcClient(AttestationAgentService, transport, 5_000)),
    attempts: QUICK,
    clock: systemClock,
  });
}

/** Any plugin but `resource` may answer in plain. */
const sayIssuer: Script = ({ headers }) => ({ body: issuerOf(headers.authorization) });

test('a token of each type, for all brokers that take it', async () => {
  const get = getter({
    '': await broker(sayIssuer),
    'b.example': await broker(sayIssuer),
    'c.example': await broker(sayIssuer, 'coco_as_bound:second'),
  });
  const say = async (uri: string): Promise<string> => Buffer.from(await get(uri)).toString();
  expect(await say('kbs+x:///a')).toBe('kbs 1');
  expect(await say('kbs+x://b.example/a')).toBe('kbs 1');
  expect(await say('kbs+x://c.example/a')).toBe('coco_as_bound:second 2');
  expect(await say('kbs+x:///b')).toBe('kbs 1');
});

/** Does not take the first token. */
const refuseFirst: Script = (request) =>
  issuerOf(request.headers.authorization).endsWith(' 1')
    ? kbsRefusal('TokenVerifierError')
    : sayIssuer(request, 0);

test('the agent is told which token was refused', async () => {
  const get = getter({ '': await broker(refuseFirst) });
  const refused = fingerprintOf(checkTokenOnArrival(tokenOf('kbs 1'), key, WHEN));
  expect(Buffer.from(await get('kbs+x:///a')).toString()).toBe(`kbs;not=${refused} 2`);
});

test('an agent that does not know of refusals is asked for the plain type', async () => {
  let count = 0;
  agent.state.getToken = async (type) => {
    if (type.includes(';')) throw new RpcError('INTERNAL', 'unsupported token type');
    return boundText(`upstream ${++count}`);
  };
  const get = getter({ '': await broker(refuseFirst) });
  expect(Buffer.from(await get('kbs+x:///a')).toString()).toBe('upstream 2');
});

test('an agent that says why it gives no other token is not asked again', async () => {
  agent.state.getToken = async (type) => {
    if (type.includes(';')) throw new RpcError('PERMISSION_DENIED', 'no (ATTESTATION_REFUSED)');
    return boundText('agent 1');
  };
  const get = getter({ '': await broker(refuseFirst) });
  await expect(get('kbs+x:///a')).rejects.toMatchObject({ code: 'ATTESTATION_AGENT_REFUSED' });
  expect(agent.state.seen).toHaveLength(2);
});

test.each<[string, string, () => Promise<string>]>([
  [
    'an agent that gives none',
    'ATTESTATION_AGENT_REFUSED',
    async () => {
      throw new RpcError('INTERNAL', 'no');
    },
  ],
  ['a bare token, without its key', 'TOKEN_MALFORMED', async () => tokenOf('bare')],
  ['a text that is none', 'TOKEN_MALFORMED', async () => ''],
  [
    'a token of another key',
    'TOKEN_WITHOUT_OUR_KEY',
    async () => {
      const other = await createTeeKey();
      const text = JSON.parse(boundText('x')) as object;
      return JSON.stringify({ ...text, token: fakeToken(boundClaims(other.publicJwk, WHEN.at)) });
    },
  ],
])('%s: %s, and the broker is not asked', async (_what, code, getToken) => {
  agent.state.getToken = getToken;
  let count = 0;
  const get = getter({
    '': await broker(() => {
      count++;
      return {};
    }),
  });
  await expect(get('kbs+x:///a')).rejects.toMatchObject({ code });
  expect(count).toBe(0);
});
