// The order of files by rules: what stands before what, and that nothing of it depends on the order in which they came.
import { describe, expect, test } from 'vitest';
import {
  capOf,
  defaultMaxFiles,
  type PlannedFile,
  reordered,
  riskOrder,
  risksIn,
  scoreOf,
} from '#core/planning/order.ts';
import { createRandom, type Random } from '../../helpers/random.ts';

const file = (path: string, more: Partial<PlannedFile> = {}): PlannedFile => ({
  ...{ path, language: 'typescript', bytes: 100, loc: 10 },
  ...more,
});
const none = { maxFiles: 0, batchSize: 0, maxBatches: 0 };
const order = (...paths: (string | PlannedFile)[]): string[] =>
  riskOrder(
    paths.map((one) => (typeof one === 'string' ? file(one) : one)),
    none,
  ).map(({ path }) => path);

test('the score is the original one, bounded, and 10,000 for a word of risk', () => {
  expect(scoreOf(file('a', { language: 'go', loc: 20, bytes: 300 }))).toBe(4 * 1000 + 40 + 300);
  expect(scoreOf(file('a', { language: 'C++', loc: 0, bytes: 0 }))).toBe(5000);
  expect(scoreOf(file('a', { language: 'brainfuck', loc: 9_999, bytes: 10 ** 9 }))).toBe(1000 + 10_000 + 20_000);
  expect(scoreOf(file('src/auth.ts'))).toBe(scoreOf(file('src/a.ts')) + 10_000);
  expect(scoreOf(file('auth/token/crypto/secret.ts'))).toBe(scoreOf(file('src/a.ts')) + 30_000);
});

test.each([
  ['src/auth/login.ts', ['auth', 'login']],
  ['src/OAuth2Tokens.ts', ['oauth2', 'token']],
  ['pkg/userSessions_store.go', ['session']],
  ['src/author.ts', []],
  ['src/tokenizer/compass.ts', []],
  ['billing/payments/billing.py', ['billing', 'payment']],
])('the words of risk in %s', (path, words) => {
  expect(risksIn(path)).toEqual(words);
});

test('risk before size, tests after code, and last what nobody writes by hand', () => {
  expect(
    order(
      ...['package-lock.json', 'vendor/auth.go', 'src/plain.ts', 'src/auth.test.ts', 'src/payment.ts', 'api/x.pb.go'],
      file('src/large.ts', { bytes: 5_000 }),
      file('src/data.json', { language: 'unknown', bytes: 5_000_000, loc: 3 }),
    ),
  ).toEqual([
    ...['src/data.json', 'src/payment.ts', 'src/large.ts', 'src/plain.ts', 'src/auth.test.ts'],
    ...['vendor/auth.go', 'api/x.pb.go', 'package-lock.json'],
  ]);
});

test.each(['tests/a.ts', 'pkg/a_test.go', 'test_a.py', 'src/a.spec.tsx', 'ATest.java', 'e2e/x.ts', 'x/__tests__/a.js'])(
  '%s is a test',
  (path) => expect(order(path, 'z.ts', 'dist/a.js')).toEqual(['z.ts', path, 'dist/a.js']),
);

test.each(['src/contest.ts', 'latest/a.ts', 'src/genes/x.ts', 'src/protest.go', 'distance/a.ts'])(
  '%s is plain code',
  (path) => expect(order(path, 'tests/z.ts')).toEqual([path, 'tests/z.ts']),
);

test('the cap is max_files or 200, and max_batches of batch_size or 50', () => {
  expect(capOf(none)).toBe(defaultMaxFiles);
  expect(capOf({ maxFiles: 7, batchSize: 0, maxBatches: 0 })).toBe(7);
  expect(capOf({ maxFiles: 0, batchSize: 10, maxBatches: 3 })).toBe(30);
  expect(capOf({ maxFiles: 0, batchSize: 0, maxBatches: 2 })).toBe(100);
  expect(capOf({ maxFiles: 20, batchSize: 10, maxBatches: 3 })).toBe(20);
  expect(capOf({ maxFiles: 0, batchSize: 10, maxBatches: 0 })).toBe(200);
});

const parts = ['src', 'auth', 'tests', 'vendor', 'pay', 'a', 'B', 'ü', 'token', 'x_test', 'gen'];
const some = (random: Random): PlannedFile =>
  file(
    Array.from({ length: 1 + random.below(3) }, () => random.pick(parts)).join('/') + random.pick(['.ts', '.go', '']),
    {
      language: random.pick(['go', 'typescript', 'unknown', 'C++']) ?? '',
      ...{ bytes: random.below(3) * 1000, loc: random.below(3) * 10 },
    },
  );

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}

describe('whatever the files are', () => {
  test.each(Array.from({ length: 50 }, (_, seed) => seed))(
    'the order is theirs alone, and none is lost or doubled: %i',
    (seed) => {
      const random = createRandom(seed);
      const files = Array.from({ length: random.below(300) }, () => some(random));
      const limits = {
        maxFiles: random.below(2) * random.below(50),
        batchSize: random.below(9),
        maxBatches: random.below(9),
      };
      const ordered = riskOrder(files, limits);
      expect(riskOrder(shuffled(files, random), limits)).toEqual(ordered);
      const all = new Set(files.map(({ path }) => path));
      const paths = ordered.map(({ path }) => path);
      expect(new Set(paths).size).toBe(paths.length);
      expect(paths.length).toBe(Math.min(capOf(limits), all.size));
      for (const path of paths) expect(all.has(path)).toBe(true);
      // What was cut off is not above what stayed.
      const whole = riskOrder(files, { ...none, maxFiles: 1000 });
      expect(whole.slice(0, ordered.length)).toEqual(ordered);
    },
  );

  test.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'nobody can lose or invent one by reordering: %i',
    (seed) => {
      const random = createRandom(seed);
      const files = riskOrder(
        Array.from({ length: 40 }, () => some(random)),
        none,
      );
      const wanted = Array.from(
        { length: 30 },
        () => (random.chance(0.7) ? random.pick(files)?.path : 'invented') ?? '',
      );
      const result = reordered(files, wanted);
      expect(result.toSorted((a, b) => files.indexOf(a) - files.indexOf(b))).toEqual(files);
      const first = [...new Set(wanted)].filter((path) => path !== 'invented');
      expect(result.slice(0, first.length).map(({ path }) => path)).toEqual(first);
    },
  );
});
