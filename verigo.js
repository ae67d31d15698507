#!/usr/bin/env node
// A clone runs its sources as they are; the published package carries only dist/.
import { existsSync } from 'node:fs';

const source = new URL('./server/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('./dist/server/main.js', import.meta.url).href);
