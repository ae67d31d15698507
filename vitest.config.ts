import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    coverage: {
      provider: 'v8',
      include: ['{server,agent}/**/*.ts'],
      thresholds: { 'server/{bytes,json,x509,verifiers,policy,token}/**': { branches: 90 } },
    },
  },
});
