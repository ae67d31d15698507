import type { Config, EndpointConfig } from './config-schema.ts';

/** The service whose keys stand in `token_configs.coco_as` itself, as upstream has it. */
export const DEFAULT_SERVICE = 'default';

export interface NamedService {
  /** The table that it is written in. */
  readonly where: string;
  readonly endpoint: EndpointConfig;
}

/** The attestation services of a configuration by name; a table without any key is none. */
export function attestationServicesIn(
  services: Config['token_configs']['coco_as'],
): ReadonlyMap<string, NamedService> {
  if (services === undefined) return new Map();
  const { url, cert, ca_mode, pins, policy_ids, ...named } = services;
  const where = 'token_configs.coco_as';
  const own: EndpointConfig = { url, cert, ca_mode, pins, policy_ids };
  const isEmpty = [url, ca_mode, pins].every((key) => key === undefined) && (cert ?? '') === '';
  return new Map<string, NamedService>([
    ...(isEmpty ? [] : [[DEFAULT_SERVICE, { where, endpoint: own }] as const]),
    ...Object.entries(named).map(
      ([name, endpoint]) => [name, { where: `${where}.${name}`, endpoint }] as const,
    ),
  ]);
}
