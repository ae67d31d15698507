export interface StatementNames {
  /** The name under which the statement is prepared once per connection; undefined: sent whole each time. */
  nameOf(text: string): string | undefined;
}

/** A server keeps every prepared statement of a session until it ends, so their number is bounded. */
const MOST_NAMES = 200;
/** Statements that a caller builds to measure (a row of placeholders for each item) seldom come again. */
const LONGEST_TEXT = 2_000;
/** Statements whose meaning is their effect on the session; preparing them saves nothing. */
const SESSION_STATEMENT = /^(?:begin|start|commit|rollback|savepoint|release|set|listen)\b/i;

/** Names for the statements that come first, which are the program's own; later ones go without. */
export function createStatementNames(): StatementNames {
  const names = new Map<string, string>();
  return {
    nameOf(text) {
      const known = names.get(text);
      if (known !== undefined) return known;
      if (names.size >= MOST_NAMES || text.length > LONGEST_TEXT || SESSION_STATEMENT.test(text))
        return undefined;
      const name = `verigo_${names.size}`;
      names.set(text, name);
      return name;
    },
  };
}
