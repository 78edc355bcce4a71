// Random windows against an independent tokenizer: none over budget, and all else that check.ts asks of a window. Twenty thousand of them; a
// million: `npm run bench -- context-budget --long`.
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { quantile, sweep } from '../../helpers/context/sweep.ts';

const count = 20_000;

test('random windows keep to their budgets and use them', { timeout: 600_000 }, async () => {
  const seen = await sweep({ first: 5_000_000, count }, Math.min(2, availableParallelism()));
  expect(seen.windows).toBe(count);
  // The generator makes what it is meant to: few that are refused, most with more than fits, of about 600 tokens.
  expect(seen.refused).toBeLessThan(count * 0.1);
  expect(seen.scarce).toBeGreaterThan(count * 0.5);
  expect(quantile(seen.tokens, 0.5) * 10).toBeGreaterThan(400);
  expect(quantile(seen.tokens, 0.5) * 10).toBeLessThan(800);
  // What is left below 97% is less than the header, the mark and a word of what comes next.
  expect(seen.underLarge).toBeLessThan(seen.large * 0.005);
  expect(seen.unusedUnder).toBeLessThan(64);
});
