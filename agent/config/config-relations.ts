import { isCodedError } from '../../server/errors/coded-error.ts';
import { parseResourceUri } from '../resource-uri.ts';
import { parseTcpAddress, parseUnixAddress } from '../rpc/address.ts';
import { attestationServicesIn, DEFAULT_SERVICE } from './attestation-services.ts';
import { type ConfigProblem, problem } from './config-error.ts';
import type { Config } from './config-schema.ts';
import { brokenEndpoint, urlMissing } from './endpoint-config.ts';

/** What no key says by itself: keys that contradict each other, or need another one. */
export function brokenRelations(config: Config): readonly ConfigProblem[] {
  return [
    ...brokenServices(config),
    ...brokenKeyBroker(config),
    ...brokenResourceServers(config),
    ...brokenAttester(config),
    ...brokenSockets(config),
    ...brokenDeadlines(config),
  ];
}

function brokenServices({
  token_configs: { coco_as: services, attestation_service: chosen },
}: Config): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (services?.url !== undefined && services[DEFAULT_SERVICE] !== undefined) {
    problems.push(problem('token_configs.coco_as.default', 'it or token_configs.coco_as.url', 'both'));
  }
  for (const [name, { where, endpoint }] of attestationServicesIn(services)) {
    if (!/^[A-Za-z0-9._:[\]-]{1,256}$/.test(name)) {
      problems.push(problem(where, "a name of letters, digits, '.', '_', ':' and '-'", 'another'));
    }
    problems.push(...(endpoint.url === undefined ? [urlMissing(where)] : brokenEndpoint(where, endpoint)));
  }
  if (chosen !== undefined && !attestationServicesIn(services).has(chosen)) {
    problems.push(
      problem('token_configs.attestation_service', `a table [token_configs.coco_as.${chosen}]`, 'none'),
    );
  }
  return problems;
}

function brokenKeyBroker(config: Config): readonly ConfigProblem[] {
  const { kbs } = config.token_configs;
  if (kbs === undefined) return [];
  const where = 'token_configs.kbs';
  const needUrl = kbs.token_source ?? kbs.token_file ?? kbs.plugins;
  return [
    ...brokenEndpoint(where, kbs),
    ...(kbs.url === undefined && needUrl !== undefined ? [urlMissing(where)] : []),
    ...brokenTokenSource(where, kbs, config),
  ];
}

function brokenResourceServers(config: Config): readonly ConfigProblem[] {
  const servers = config.resource_servers;
  return servers.flatMap((server, index) => {
    const where = `resource_servers[${index}]`;
    const isTwice = servers.findIndex(({ host }) => host.toLowerCase() === server.host.toLowerCase()) < index;
    return [
      ...(isHost(server.host) ? [] : [problem(`${where}.host`, 'host[:port]', 'another form')]),
      ...(isTwice ? [problem(`${where}.host`, 'each host once', 'one twice')] : []),
      ...brokenEndpoint(where, server),
      ...brokenTokenSource(where, server, config),
    ];
  });
}

function brokenTokenSource(
  where: string,
  { token_source: source, token_file: file }: Config['resource_servers'][number] | KeyBroker,
  { token_configs: { coco_as: services, attestation_service: chosen } }: Config,
): readonly ConfigProblem[] {
  if (source !== undefined && file !== undefined) {
    return [problem(`${where}.token_file`, 'it or token_source', 'both')];
  }
  if (source === undefined || source === 'kbs') return [];
  const name = serviceNameOf(source) ?? chosen ?? DEFAULT_SERVICE;
  if (attestationServicesIn(services).has(name)) return [];
  return [problem(`${where}.token_source`, `a service '${name}' in token_configs.coco_as`, 'none')];
}

type KeyBroker = NonNullable<Config['token_configs']['kbs']>;

/** The name in `coco_as:<name>`. */
export function serviceNameOf(source: string): string | undefined {
  return source.startsWith('coco_as:') ? source.slice('coco_as:'.length) : undefined;
}

function isHost(host: string): boolean {
  try {
    return host !== '' && parseResourceUri(`kbs://${host}/a`).host === host.toLowerCase();
  } catch (error) {
    if (isCodedError(error)) return false;
    throw error;
  }
}

function brokenAttester({ attester }: Config): readonly ConfigProblem[] {
  const { tee, dangerously_use_sample_attester: isSample } = attester;
  if (tee === 'sample' && !isSample) {
    return [problem('attester.tee', "dangerously_use_sample_attester = true beside 'sample'", 'none')];
  }
  if (tee !== undefined && tee !== 'sample' && isSample) {
    return [problem('attester.dangerously_use_sample_attester', `it or attester.tee = '${tee}'`, 'both')];
  }
  return [];
}

function brokenSockets({ sockets }: Config): readonly ConfigProblem[] {
  return sockets.listen.flatMap((address, index) => {
    try {
      if (address.startsWith('unix:')) parseUnixAddress(address);
      else parseTcpAddress(address);
      return [];
    } catch (error) {
      if (!isCodedError(error)) throw error;
      return [{ where: `sockets.listen[${index}]`, message: error.message }];
    }
  });
}

function brokenDeadlines({ deadlines }: Config): readonly ConfigProblem[] {
  return deadlines.attempt_seconds <= deadlines.request_seconds
    ? []
    : [problem('deadlines.attempt_seconds', 'at most deadlines.request_seconds', 'more')];
}
