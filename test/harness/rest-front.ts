import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type RestRoleOptions, restRole } from '../../agent/rest/rest-role.ts';
import { RuntimeMeasurementResult } from '../../agent/rpc/gen/attestation_agent_pb.ts';
import { GetResourceService } from '../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { implementService } from '../../agent/rpc/service.ts';
import { startTtrpcServer } from '../../agent/rpc/ttrpc/ttrpc-server.ts';
import { type FakeAttestationAgent, startFakeAttestationAgent } from '../fakes/fake-attestation-agent.ts';
import { createGuestPlace, type GuestPlace } from './data-hub.ts';
import type { RawReply } from './http.ts';

export interface FrontUnderTest {
  readonly place: GuestPlace;
  readonly agent: FakeAttestationAgent;
  /** Of the front with all features. */
  readonly url: string;
  /** The resources that the hub was asked for. */
  readonly asked: readonly string[];
  /** From now on, what the hub fails with. */
  failHubWith(failure: Error): void;
  /** A further front; returns its URL. */
  start(options: Partial<RestRoleOptions>): Promise<string>;
}

/** A front between its callers, an Attestation Agent and a hub, over sockets, for all tests of a file. */
export function useRestFront(): FrontUnderTest {
  let place: GuestPlace;
  let agent: FakeAttestationAgent;
  let url: string;
  const asked: string[] = [];
  let failure: Error | undefined;

  beforeAll(async () => {
    place = await createGuestPlace();
    agent = await startFakeAttestationAgent(place.address('aa'));
    const service = implementService(GetResourceService, {
      async getResource({ resourcePath }) {
        asked.push(resourcePath);
        if (failure !== undefined) throw failure;
        return { resource: Buffer.from(`content of ${resourcePath}`) };
      },
    });
    const hub = await startTtrpcServer({
      address: place.address('cdh'),
      services: [service],
      log: () => undefined,
    });
    place.defer(async () => {
      await agent.close();
      await hub.close(0);
    });
    url = await start({});
  });
  afterAll(async () => {
    await place.close();
  });
  beforeEach(() => {
    asked.length = 0;
    agent.state.seen.length = 0;
  });
  afterEach(() => {
    failure = undefined;
    agent.state.failure = undefined;
    agent.state.result = RuntimeMeasurementResult.OK;
  });

  async function start(options: Partial<RestRoleOptions>): Promise<string> {
    const running = await restRole({
      features: 'all',
      version: 'Verigo test',
      bind: '127.0.0.1:0',
      agentAddress: place.uri('aa'),
      hubAddress: place.uri('cdh'),
      ...options,
    }).start(place.context);
    place.defer(async () => {
      await running.close(0);
    });
    return `http://127.0.0.1:${running.port}`;
  }

  return {
    get place() {
      return place;
    },
    get agent() {
      return agent;
    },
    get url() {
      return url;
    },
    asked,
    failHubWith(error) {
      failure = error;
    },
    start,
  };
}

export function outcome({ status, code, text }: RawReply): readonly unknown[] {
  return [status, code, text];
}
