import { parse, TomlError } from 'smol-toml';
import type { ConfigProblem } from './config-error.ts';
import { type ConfigNode, configTree } from './config-tree.ts';
import { nearest } from './nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What one variable says: `VERIGO_HTTP__PORT=9090` is the value 9090 for `http.port`. */
export interface Override {
  readonly variable: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Shorter or customary names of three keys. */
const ALIASES = new Map([
  ['DATABASE_URL', 'database.url'],
  ['VERIGO_MASTER_KEY', 'keys.master_key'],
  ['VERIGO_OPA', 'policy.opa'],
]);
/** Ours too, but read by the command line: which file, which server, which token. */
const COMMAND_LINE_VARIABLES = new Set(['VERIGO_CONFIG', 'VERIGO_SERVER', 'VERIGO_ADMIN_TOKEN']);
/**
 * Kubernetes puts the addresses of a Service named `verigo…` into the environment of every pod of its namespace
 * (Kubernetes documentation, "Service", environment variables). Nobody wrote them for us.
 */
const SERVICE_LINK =
  /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const SERVICE_LINK_VALUE = /^(tcp|udp|sctp):\/\//;

/**
 * Reads the overrides from the environment. One rule: `VERIGO_` and the key in capitals, tables joined by two
 * underscores. A text key takes the value as it is; any other takes it as TOML would write it (`8080`, `true`,
 * `["as"]`). Variables that begin with VERIGO_ and name no key are problems, as unknown keys of the file are.
 */
export function readEnvironment(env: Environment): {
  readonly overrides: readonly Override[];
  readonly problems: readonly ConfigProblem[];
} {
  const overrides: Override[] = [];
  const problems: ConfigProblem[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (value === undefined || !isOurs(variable, value)) continue;
    const node = NODES.get(variable);
    if (node === undefined) {
      problems.push({ where: variable, message: unknownVariable(variable) });
    } else if (overrides.some((other) => other.path.join('.') === node.path)) {
      problems.push({ where: variable, message: `expected ${node.path} from one variable, got it from two` });
    } else {
      overrides.push({ variable, path: node.path.split('.'), value: valueOf(node, value) });
    }
  }
  return { overrides, problems };
}

/** The variable that sets a key: `http.port` → `VERIGO_HTTP__PORT`. */
function variableOf(path: string): string {
  return `VERIGO_${path.replaceAll('.', '__').toUpperCase()}`;
}

const NODES: ReadonlyMap<string, ConfigNode> = variablesByName();

function variablesByName(): Map<string, ConfigNode> {
  const byPath = new Map(settable(configTree.children).map((node) => [node.path, node]));
  const byVariable = new Map([...byPath.values()].map((node) => [variableOf(node.path), node]));
  for (const [alias, path] of ALIASES) {
    const node = byPath.get(path);
    if (node !== undefined) byVariable.set(alias, node);
  }
  return byVariable;
}

/** Keys, and arrays of tables as one value; nothing inside such an array has a name of its own. */
function settable(nodes: readonly ConfigNode[]): readonly ConfigNode[] {
  return nodes.flatMap((node) => (node.kind === 'table' ? settable(node.children) : [node]));
}

function isOurs(variable: string, value: string): boolean {
  if (NODES.has(variable)) return true;
  if (!variable.startsWith('VERIGO_') || COMMAND_LINE_VARIABLES.has(variable)) return false;
  return !SERVICE_LINK.test(variable) && !(variable.endsWith('_PORT') && SERVICE_LINK_VALUE.test(value));
}

function unknownVariable(variable: string): string {
  const suggestion = nearest(variable, [...NODES.keys(), ...COMMAND_LINE_VARIABLES]);
  return suggestion === undefined
    ? 'expected the name of a key, got one that is not known'
    : `expected the name of a key, got one that is not known; did you mean ${suggestion}?`;
}

/** What is not TOML stays text, and the schema then says what it expected. */
function valueOf(node: ConfigNode, value: string): unknown {
  if (node.kind === 'key' && node.isText) return value;
  try {
    const document = parse(`value = ${value}`);
    return Object.keys(document).length === 1 ? document['value'] : value;
  } catch (error) {
    if (error instanceof TomlError) return value;
    throw error;
  }
}
