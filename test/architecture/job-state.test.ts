// Job state has one writer, the scripts of core/jobs: no other file names the key of a record, nor reaches the scripts around the store.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { planted, projectTree, type Rule } from './source/tree.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ours = (path: string): boolean => path.startsWith('core/jobs/');

/** Read as text: keys are mostly written in templates, of which the tokens keep only the holes. */
function namesRecords(path: string, text: string): string[] {
  if (ours(path)) return [];
  return text.split('\n').flatMap((line, i) => (line.includes('job:meta') ? [`${path}:${i + 1}: names job:meta`] : []));
}

const aroundTheStore: Rule = (tree) =>
  [...tree.values()].flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target.startsWith('core/jobs/scripts/') && !ours(path) && !path.startsWith('test/'))
      .map(({ line, target }) => `${path}:${line}: reaches ${target} around the store`),
  );

test('nobody but the scripts writes job state', () => {
  const product = globSync('{core,functions,services,local}/**/*.{ts,mts,mjs,js}', { cwd: root });
  expect(product.length).toBeGreaterThan(200);
  expect(product.flatMap((path) => namesRecords(path, readFileSync(`${root}/${path}`, 'utf8')))).toEqual([]);
  expect(aroundTheStore(projectTree())).toEqual([]);
});

test('notices a workflow that would', () => {
  const text = "import { script } from '#core/redis/redis.ts';\nconst key = `job:meta:${id}`;\n";
  expect(namesRecords('services/orchestrator/x.ts', text)).toEqual(['services/orchestrator/x.ts:2: names job:meta']);
  expect(namesRecords('core/jobs/x.ts', text)).toEqual([]);
  const import_ = "import { commit } from '#core/jobs/scripts/commit.ts';";
  expect(aroundTheStore(planted(new Map(), { 'services/orchestrator/x.ts': import_ }))).toEqual([
    'services/orchestrator/x.ts:1: reaches core/jobs/scripts/commit.ts around the store',
  ]);
});
