// How vitest runs here: from the repository root, on real servers, so a file may take its time but never for ever.
// It is not a list of suites: local/test.mjs chooses those.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
