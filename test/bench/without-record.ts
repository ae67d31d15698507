/**
 * `node --import without-record.ts verigo.js serve`: a server that leaves no record, to measure what the record costs. Only
 * here, by replacing a module, so that the program itself has no switch that turns its record off.
 */
import { registerHooks } from 'node:module';

const REPLACED = 'server/decisions/decision-log.ts';
const REPLACEMENT = import.meta.resolve('./no-decision-log.ts');

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    const isOwnImport = context.parentURL === REPLACEMENT;
    return resolved.url.endsWith(REPLACED) && !isOwnImport ? { ...resolved, url: REPLACEMENT } : resolved;
  },
});
