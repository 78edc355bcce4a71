// Rule 2: pure files decide. They import only pure files, errors, results, types and the protocol, and know no clock,
// chance, socket, timer or environment.

import { expect, test } from 'vitest';
import { isDriver, isNodeFile, isPure, PURE_PACKAGES } from './layout.ts';
import { sequence, usesOf } from './source/imports.ts';
import { packageName, planted, projectTree, type ResolvedImport, type Rule, type SourceFile } from './source/tree.ts';

/** Words that mean the world outside. `Date` and `Math` are looked at more closely below. */
const WORLD = [
  'AbortSignal',
  'Buffer',
  'EventSource',
  'WebSocket',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'globalThis',
  'navigator',
  'performance',
  'process',
  'queueMicrotask',
  'setImmediate',
  'setInterval',
  'setTimeout',
];

const purity: Rule = (tree) =>
  [...tree.values()]
    .filter(({ path }) => isPure(path))
    .flatMap((file) => [...impureImports(file), ...impureWords(file)]);

function impureImports({ path, imports }: SourceFile): string[] {
  return imports.filter((i) => !mayImport(i)).map((i) => `${path}:${i.line}: a pure file imports ${i.target}`);
}

function mayImport({ target, to, typeOnly }: ResolvedImport): boolean {
  if (to === 'node') return false;
  if (to === 'package') return PURE_PACKAGES.has(packageName(target));
  if (target.startsWith('proto/gen/') || isPure(target)) return true;
  return typeOnly && target.startsWith('core/') && !isDriver(target) && !isNodeFile(target);
}

function impureWords({ path, tokens }: SourceFile): string[] {
  const found: [string, number[]][] = [
    ...WORLD.map((word): [string, number[]] => [word, usesOf(tokens, word)]),
    ['Date.now', sequence(tokens, 'Date', '.', 'now')],
    ['new Date()', [...sequence(tokens, 'new', 'Date', '(', ')'), ...sequence(tokens, 'new', 'Date', ';')]],
    ['Math.random', sequence(tokens, 'Math', '.', 'random')],
    ['import.meta', sequence(tokens, 'import', '.', 'meta')],
    ['await', usesOf(tokens, 'await')],
  ];
  return found.flatMap(([word, lines]) => lines.map((line) => `${path}:${line}: a pure file uses ${word}`));
}

const tree = projectTree();

test('pure files are pure', () => {
  expect(purity(tree)).toEqual([]);
});

test('the list of pure files matches files that exist', () => {
  for (const path of ['core/errors.ts', 'core/jobs/state.ts', 'core/protocol/envelope.ts']) {
    expect(tree.has(path) && isPure(path), path).toBe(true);
  }
});

test.each([
  "import { systemClock } from '#core/system.ts';",
  "import { Bus } from '#core/bus/bus.ts';",
  "import type { X } from '#core/jobs/redis-store.ts';",
  "import type { X } from '#core/redis/ioredis.node.ts';",
  "import type { X } from 'node:net';",
  "import { hash } from 'crypto';",
  "import { Hono } from 'hono';",
  'export const a = Date.now();',
  'export const a = new Date();',
  'export const a = Math.random();',
  'export const a = crypto.randomUUID();',
  "export const a = fetch('x');",
  'export const a = setTimeout(run, 1);',
  'export const a = `at ${performance.now()}`;',
  'export const a = process.env.A;',
  'export const a = globalThis.process;',
  "console.log('a');",
  'export const a = AbortSignal.timeout(1);',
  'export const a = import.meta.url;',
  'export const a = async () => await b;',
])('notices in a pure file: %s', (text) => {
  expect(purity(planted(new Map(), { 'core/scheduling/planted.ts': text }))).toEqual([
    expect.stringMatching(/^core\/scheduling\/planted\.ts:1: a pure file (imports|uses) /),
  ]);
});

test('accepts pure imports, type imports of ports, dates made of arguments, and prose', () => {
  const text = `// Date.now() and process.env are not read here.
import { CortexError } from '#core/errors.ts';
import type { Bus } from '#core/bus/bus.ts';
import { canMove } from '../jobs/state.ts';
import { JobStatus } from '#proto/cortex/agent/v1/job_pb.ts';
import { z } from 'zod';
export const iso = (now: number) => new Date(now).toISOString() + 'fetch' + clock.performance;
`;
  expect(purity(planted(new Map(), { 'core/routing/pools.ts': text }))).toEqual([]);
});
