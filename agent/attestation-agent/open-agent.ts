import { readFile } from 'node:fs/promises';
import { createNodeDigester } from '../binding/node-digester.ts';
import type { Config } from '../config/config-schema.ts';
import type { Environment } from '../config/load-config.ts';
import type { Guest } from '../guest.ts';
import { AttesterError } from './attesters/attester-error.ts';
import type { Finding } from './attesters/detect.ts';
import { type GuestHardware, guestHardware } from './attesters/guest-hardware.ts';
import { type OpenedAttester, openAttester } from './attesters/open-attester.ts';
import type { EvidenceProvider, EvidenceSource } from './evidence-provider.ts';
import { bindGivenInitData, bindInitData, type GivenInitData } from './init-data-at-start.ts';
import type { AttestationAgent } from './service.ts';
import { laterTokens } from './tokens/later-tokens.ts';
import type { TokenService } from './tokens/token-service.ts';

export interface OpenAgentOptions {
  readonly config: Config;
  /** The guest: see GuestHardwareOptions. */
  readonly root: string;
  readonly env: Environment;
  readonly architecture: string;
  /** In the header of requests: `verigo-aa/<version>`. */
  readonly userAgent: string;
  readonly clock: () => Date;
  readonly warn: (message: string) => void;
  readonly initData?: GivenInitData | undefined;
  /**
   * Whether this process is the one that measures: two that write one event log would not agree with the registers.
   * One that only looks reads the log all the same.
   */
  readonly measures: boolean;
}

/** An agent in this process, which also has credentials for whoever fetches resources there. */
export interface OpenedAgent extends AttestationAgent {
  readonly tokens: TokenService;
}

/**
 * Finds the TEE, binds the init data to it, and prepares tokens; none is fetched yet. Throws AttesterError TEE_NOT_FOUND
 * where there is nothing that can prove anything, InitDataBindingError INIT_DATA_MISMATCH; InitDataError,
 * RuntimeMeasurementError, and what the attester throws.
 */
export async function openAgent(options: OpenAgentOptions): Promise<OpenedAgent> {
  const { config, clock, warn } = options;
  const { attester, measurement, devices } = await openHardware(options);
  const initDataToml = await bindGivenInitData(attester, options.initData ?? {}, warn);
  const provider: EvidenceProvider = { ...attester, devices };
  const guest: Guest = {
    provider,
    initDataToml,
    teeKeyAlgorithm: config.token_configs.kbs?.tee_key_algorithm ?? 'ECDH-ES+A256KW-P256',
    digester: createNodeDigester(),
    clock,
    skewSeconds: config.deadlines.clock_skew_seconds,
  };
  return {
    provider,
    measurement,
    tokens: laterTokens(async () => await openTokens(guest, options)),
    bindInitData: async (digest) => {
      await bindInitData(attester, digest);
    },
  };
}

async function openTokens(
  guest: Guest,
  { config, userAgent }: Pick<OpenAgentOptions, 'config' | 'userAgent'>,
): Promise<TokenService> {
  const { configuredServers } = await import('./configured-servers.ts');
  const { createTokenService } = await import('./tokens/token-service.ts');
  const readText = async (path: string): Promise<string> => await readFile(path, 'utf8');
  return createTokenService({
    guest,
    ...configuredServers(config, { userAgent, readText }),
    renewBeforeSeconds: config.deadlines.renew_before_seconds,
  });
}

/** The way to the hardware that a configuration describes. */
export function hardwareOf(
  options: Pick<OpenAgentOptions, 'config' | 'root' | 'env' | 'architecture'>,
): GuestHardware {
  return guestHardware({ ...options, tpmKeyHandle: options.config.attester.tpm_key_handle });
}

/** Which evidence that anybody can make a configuration asks for. */
export function samplesOf({ attester }: Config): { readonly attester: boolean; readonly device: boolean } {
  return {
    attester: attester.dangerously_use_sample_attester,
    device: attester.dangerously_use_sample_device,
  };
}

async function openHardware(
  options: OpenAgentOptions,
): Promise<OpenedAttester & { readonly devices: readonly EvidenceSource[] }> {
  const { config, measures, warn } = options;
  const hardware = hardwareOf(options);
  const detection = await hardware.detect(samplesOf(config));
  const tee = config.attester.tee ?? detection.primary?.tee;
  if (tee === undefined) {
    throw new AttesterError(
      'TEE_NOT_FOUND',
      'expected a TEE, got none; for development there is attester.dangerously_use_sample_attester = true',
    );
  }
  if (tee === 'sample') warn('the sample attester is in use: its evidence proves nothing');
  const { attester, measurement } = await openAttester(tee, {
    ...hardware.ways,
    eventLog: {
      enabled: measures && config.eventlog_config.enable_eventlog,
      defaultPcr: config.eventlog_config.init_pcr,
    },
  });
  if (measurement.hasUnreadableEntry) {
    warn(
      'an event of the last start could not be read and was put aside: the log may not explain its register',
    );
  }
  return { attester, measurement, devices: await openDevices(detection.devices, warn) };
}

async function openDevices(
  found: readonly Finding[],
  warn: (message: string) => void,
): Promise<readonly EvidenceSource[]> {
  const sources: EvidenceSource[] = [];
  for (const { tee } of found) {
    if (tee === 'sampledevice') {
      const { sampleDeviceAttester } = await import('./attesters/sample/sample-attester.ts');
      sources.push(sampleDeviceAttester);
      warn('the sample device is in use: its evidence proves nothing');
    } else warn(`a device '${tee}' was found, and this agent has no evidence of it`);
  }
  return sources;
}
