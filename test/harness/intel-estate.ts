import { createFakeIntelSite, type FakeIntelSite } from '../fakes/fake-intel-site.ts';
import { type FakePcs, startFakePcs } from '../fakes/fake-pcs.ts';
import { type Administrator, createAdministrator } from './administrator.ts';
import { SGX_REFERENCE_VALUES, TDX_REFERENCE_VALUES } from './hardware-sources.ts';
import { type RunningVerigo, type StartVerigoOptions, startVerigo } from './serve-verigo.ts';
import type { ConfigDocument } from './test-config.ts';

/** The time of an estate, unless it has a clock of its own. */
export const ESTATE_NOW = new Date('2026-06-01T12:00:00Z');

export interface EstateServerOptions extends Pick<StartVerigoOptions, 'clock' | 'databaseUrl' | 'masterKey'> {
  readonly collateral?: ConfigDocument;
}

/** Machines of a fake Intel's, its service, and a server that asks it and knows what to expect of them. */
export interface IntelEstate extends AsyncDisposable {
  readonly site: FakeIntelSite;
  readonly pcs: FakePcs;
  readonly verigo: RunningVerigo;
  readonly administrator: Administrator;
  /** Another server that believes the same Intel; at `url`, or "" to fetch nothing. */
  start(url: string, options?: EstateServerOptions): Promise<RunningVerigo>;
}

export async function startIntelEstate(options: EstateServerOptions = {}): Promise<IntelEstate> {
  const site = await createFakeIntelSite();
  const pcs = await startFakePcs(await site.content(ESTATE_NOW));
  const started: RunningVerigo[] = [];
  const start: IntelEstate['start'] = async (url, { collateral, ...own } = options) => {
    const verigo = await startVerigo({
      clock: () => ESTATE_NOW,
      rootsPem: site.rootPem,
      ...own,
      config: { collateral: { revocation: 'required', ...collateral, intel: { url } } },
    });
    started.push(verigo);
    return verigo;
  };
  const verigo = await start(pcs.url);
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.setReferenceValues([...TDX_REFERENCE_VALUES, ...SGX_REFERENCE_VALUES]);
  return {
    site,
    pcs,
    verigo,
    administrator,
    start,
    async [Symbol.asyncDispose]() {
      for (const each of started) await each.close();
      await pcs.close();
    },
  };
}
