// Files stay small: past 400 lines a file holds two ideas. Generated code is not counted. Prints the medians.

import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Script } from '#core/redis/redis.ts';
import { planted, projectTree, type Rule } from './source/tree.ts';

const MOST = 400;

const size: Rule = (tree) =>
  [...tree.values()]
    .filter(({ path, lines }) => lines > MOST && !path.startsWith('proto/gen/'))
    .map(({ path, lines }) => `${path}: ${lines} lines, ${MOST} at most`);

const tree = projectTree();

test(`no source file has more than ${MOST} lines`, () => {
  expect(size(tree)).toEqual([]);
});

test(`no script of the store has more than ${MOST} lines, with all that stands before it`, async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const scripts: { readonly name: string; readonly lines: number }[] = [];
  for (const path of globSync('core/jobs/scripts/*.ts', { cwd: root })) {
    const exported = Object.values((await import(`${root}/${path}`)) as Record<string, unknown>);
    scripts.push(...exported.filter(isScript).map(({ name, source }) => ({ name, lines: source.split('\n').length })));
  }
  expect(scripts.map(({ name }) => name)).toEqual(expect.arrayContaining(['create', 'gate', 'claim', 'commit', 'due']));
  expect(scripts.filter(({ lines }) => lines > MOST)).toEqual([]);
});

function isScript(value: unknown): value is Script {
  return typeof value === 'object' && value !== null && 'name' in value && 'source' in value;
}

test('reports the median per folder', () => {
  const medians = ['core', 'functions', 'services', 'local', 'test'].map((folder) => {
    const lines = [...tree.values()].filter(({ path }) => path.startsWith(`${folder}/`)).map((file) => file.lines);
    const sorted = lines.toSorted((a, b) => a - b);
    return `${folder} ${sorted[sorted.length >> 1] ?? 0} (${sorted.length} files, longest ${sorted.at(-1) ?? 0})`;
  });
  console.info(`median lines: ${medians.join(', ')}`);
  expect(medians[0]).toMatch(/^core [1-9]/);
});

test('notices one line too many, and not the last allowed one', () => {
  const lines = (n: number): string => 'export {};\n'.repeat(n);
  expect(size(planted(new Map(), { 'core/x.ts': lines(MOST + 1) }))).toEqual(['core/x.ts: 401 lines, 400 at most']);
  expect(size(planted(new Map(), { 'core/x.ts': lines(MOST) }))).toEqual([]);
  expect(size(planted(new Map(), { 'proto/gen/x_pb.ts': lines(MOST + 1) }))).toEqual([]);
});
