import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { createRecordAdminChange } from './admin/admin-change.ts';
import { buildApp } from './app.ts';
import type { Clock } from './clock.ts';
import { createCollateralRepository } from './collateral/collateral-repository.ts';
import { createAdministrators } from './composition/administrators.ts';
import { composeAttestation } from './composition/attestation.ts';
import { collateralServices } from './composition/collateral.ts';
import { composeKeyBroker } from './composition/key-broker.ts';
import { composePolicies, type PolicyEnvironment } from './composition/policies.ts';
import { referenceValueServices } from './composition/reference-values.ts';
import { loadTpmActivation } from './composition/tpm-trust.ts';
import { createVerifiers } from './composition/verifiers.ts';
import type { Config } from './config/load-config.ts';
import { createDecisionLog } from './decisions/decision-log.ts';
import { createDecisionRepository } from './decisions/decision-repository.ts';
import { loadTicketKeys } from './freshness/ticket-keys.ts';
import { createAdminGate } from './http/admin-gate.ts';
import { createReferenceValueRepository } from './reference-values/reference-value-repository.ts';
import { openStorage } from './storage/open-storage.ts';

export interface ComposeOptions extends PolicyEnvironment {
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  readonly log: FastifyBaseLogger;
}

/** The whole system, ready to listen. */
export interface Verigo {
  readonly app: FastifyInstance;
  readonly database: 'embedded' | 'external';
  /** The policies that this start has put in force. */
  readonly seeded: readonly string[];
  /** Finishes what is in flight, then lets go of everything. */
  close(): Promise<void>;
}

/** What is in flight has this long to finish once the server is told to stop. */
const FINISH_MILLISECONDS = 20_000;

/** Wires every module together; the one place where the system is visible at once. */
export async function compose(config: Config, options: ComposeOptions): Promise<Verigo> {
  const opened = new AsyncDisposableStack();
  try {
    return await wire(config, options, opened);
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** What is opened is closed in the opposite order: requests first, the database last. */
async function wire(config: Config, options: ComposeOptions, opened: AsyncDisposableStack): Promise<Verigo> {
  const { clock, fetch, log } = options;
  const report = (error: unknown): void => {
    log.warn({ err: error }, 'work in the background failed; it goes on');
  };
  const logPostgres = log.debug.bind(log);
  const storage = await openStorage(config, { clock, report, logPostgres });
  opened.defer(storage.close);
  const { db, changes } = storage;
  const decisionRepository = createDecisionRepository(db);
  const decisions = createDecisionLog(decisionRepository.insert);
  opened.defer(decisions.close);
  const authorize = await createAdministrators(config);
  const gate = createAdminGate(authorize, clock);
  const admin = { authorize, gate, recordChange: createRecordAdminChange(decisions), clock };
  const referenceValues = createReferenceValueRepository(db, changes);
  const collateral = createCollateralRepository(db, changes, clock);
  const policies = await composePolicies(config, { ...options, ...admin, storage, referenceValues });
  opened.defer(policies.close);
  const seeded = await policies.seed();
  const ticketKeys = await loadTicketKeys(storage.serverKeys, changes, report);
  const tpmActivation = await loadTpmActivation(config.verifiers.tpm, ticketKeys);
  const onRefreshFailure = report;
  const verifiers = await createVerifiers(config, collateral, { fetch, tpmActivation, onRefreshFailure });
  const shared = { ...admin, storage, policies, decisions, ticketKeys };
  const attestation = await composeAttestation(config, { ...shared, verifiers, tpmActivation, report });
  if (attestation !== undefined) opened.defer(attestation.close);
  const keyBroker = await composeKeyBroker(config, { ...shared, attestation, referenceValues, fetch });
  const app = await buildApp(
    {
      attestation: attestation?.routes,
      jwks: attestation?.jwks,
      kbs: keyBroker,
      policies: policies.routes,
      referenceValues: config.roles.includes('rvps')
        ? referenceValueServices(referenceValues, policies.forgetReferenceValues, admin)
        : undefined,
      decisions: { authorize: gate.admit, list: decisionRepository.list, find: decisionRepository.find },
      collateral: collateralServices(collateral, admin),
      health: { checkReady: storage.checkReady },
    },
    { log, ...config.http },
  );
  opened.defer(async () => {
    const lastCall = setTimeout(() => {
      app.server.closeAllConnections();
    }, FINISH_MILLISECONDS);
    await app.close();
    clearTimeout(lastCall);
  });
  return {
    app,
    database: storage.kind,
    seeded,
    close: async () => {
      await opened.disposeAsync();
    },
  };
}
