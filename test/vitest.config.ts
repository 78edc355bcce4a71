// How vitest runs here: from the repository root, on real servers, so a file may take its time but never for ever.
// It is not a list of suites: local/test.mjs chooses those.
import { fileURLToPath } from 'node:url';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './sequence.ts';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    // Test files wait for processes, leases and time-outs as much as they compute. Measured on two cores: 133 s with one file
    // at a time (vitest's own number there), 53 s with three, 48 s with four, 49 s with six.
    maxWorkers: Math.min(2 * availableParallelism(), 16),
    sequence: { sequencer: LongestFirst },
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
