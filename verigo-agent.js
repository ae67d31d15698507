#!/usr/bin/env node
import { existsSync } from 'node:fs';

// Node 24 runs TypeScript as it is. In a clone, npm brings the pinned one for every script and for npx.
if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(
    `Verigo needs Node 24, this is ${process.version}. In a clone, run it by npm: npm run agent -- …`,
  );
  process.exit(2);
}
// A clone runs its sources; the published package carries only dist/.
const source = new URL('./agent/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('./dist/agent/main.js', import.meta.url).href);
