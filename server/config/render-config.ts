import { configSchema } from './config-schema.ts';
import { type ConfigKey, type ConfigTable, configTree, isTable, mapKeys } from './config-tree.ts';
import type { Config, ExplainedConfig } from './load-config.ts';

type Values = Readonly<Record<string, unknown>>;
/** Undefined: the example is rendered, which shows one table of each kind where there is none. */
type Origins = ReadonlyMap<string, string> | undefined;

const HIDDEN = '(hidden)';
const WIDTH = 110;

/** The example file: every key with its meaning and default; what has no default is commented out. */
export function renderExample(): string {
  const heading = [
    'Verigo reads this file as verigo.toml in the working directory, or from --config or VERIGO_CONFIG.',
    'Every key is shown with its default; a key that is commented out has none.',
    'In the environment a key is VERIGO_ and its name in capitals, tables joined by two underscores:',
    'VERIGO_HTTP__PORT=9090. A text is written there as it is, anything else as here: VERIGO_ROLES=\'["kbs"]\'.',
  ];
  return `${heading.map((line) => `# ${line}\n`).join('')}\n${renderTable(configTree, configSchema.parse({}), undefined)}`;
}

/** The effective configuration as TOML, secrets hidden, with the origin of each value that is not a default. */
export function renderConfig({ config, origins }: Pick<ExplainedConfig, 'config' | 'origins'>): string {
  return renderTable(configTree, withoutSecrets(config), origins);
}

/** The same values with nothing secret in them, for printing. */
export function withoutSecrets(config: Config): Values {
  return mapKeys(configTree, config, (key, value) => {
    if (typeof value !== 'string' || key.note.secret === undefined) return value;
    return key.note.secret === 'url' ? withoutPassword(value) : HIDDEN;
  });
}

/** Postgres also takes a password as a parameter, so parameters are left out as well. */
function withoutPassword(text: string): string {
  if (!URL.canParse(text)) return HIDDEN;
  const url = new URL(text);
  if (url.password !== '') url.password = 'hidden';
  if (url.search !== '') url.search = '?hidden';
  return url.href;
}

/** Keys first, then tables: TOML would read a key behind a table header as a member of that table. */
function renderTable(table: ConfigTable, value: Values, origins: Origins): string {
  const lines: string[] = [];
  const tables: string[] = [];
  for (const child of table.children) {
    const inner = value[child.name];
    const from = fromOf(origins?.get(child.path));
    if (child.kind === 'key') lines.push(renderKey(child, inner, from));
    else if (child.kind === 'table') tables.push(renderInner(child, inner, origins));
    else if (Array.isArray(inner) && inner.length > 0) {
      tables.push(...inner.map((item: unknown) => renderInner(child, item, origins, from)));
    } else if (origins === undefined) tables.push(commentOut(renderInner(child, {}, origins)));
    else lines.push(`${comment(child.meaning)}${child.name} = []${from}\n`);
  }
  return [lines.join(''), ...tables].join('\n');
}

function renderInner(table: ConfigTable, value: unknown, origins: Origins, from = ''): string {
  const header = table.kind === 'table' ? `[${table.path}]` : `[[${table.path}]]`;
  const inner = renderTable(table, isTable(value) ? value : {}, origins);
  return `${comment(table.meaning)}${header}${from}\n${inner}`;
}

function renderKey(key: ConfigKey, value: unknown, from: string): string {
  const line = `${key.name} = ${toml(value ?? key.note.example ?? '')}`;
  return `${comment(key.meaning)}${value === undefined ? '#' : ''}${line}${from}\n`;
}

function fromOf(origin: string | undefined): string {
  return origin === undefined ? '' : ` # from ${origin}`;
}

/** JSON's texts, numbers, booleans and lists are TOML's as well; TOML alone forbids the bare delete character. */
function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(', ')}]`;
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
}

function commentOut(block: string): string {
  return block
    .split('\n')
    .map((line) => (line === '' || line.startsWith('#') ? line : `#${line}`))
    .join('\n');
}

function comment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 1 <= WIDTH)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`# ${word}`);
  }
  return text === '' ? '' : `${lines.join('\n')}\n`;
}
