// Repositories as two engines on one store see them: the same commit, the same answers.
import { afterAll, expect, test } from 'vitest';
import { createMemoryRepos } from '#core/context/memory-repos.ts';
import { chunkText } from '#core/context/repo/found-pieces.ts';
import type { RepoName, Repos } from '#core/context/repo/repos.ts';
import { createLog } from '#core/log.ts';
import { unwrap } from '#core/result.ts';
import { createIngester } from '../../../services/context-engine/ingest.ts';
import { createRepositories, type Repositories } from '../../../services/context-engine/repositories.ts';
import { archiveOf } from '../../helpers/context/engine.ts';

let time = 1_800_000_000_000;
const lines: string[] = [];
const log = createLog({ level: 'info', write: (line) => void lines.push(line), now: Date.now, fields: {} });
const ingester = createIngester();
afterAll(() => ingester.close());
const engines = (repos: Repos) =>
  [0, 1].map(() => createRepositories({ repos, ingester, log })) as [Repositories, Repositories];

const put = async (engine: Repositories, name: RepoName, commit: string, files: Record<string, string>) =>
  engine.ingest(name, commit, async () => archiveOf(files));
const ask = async (engine: Repositories, name: RepoName, commit: string, text = 'lease') => {
  const open = await engine.open(name, commit);
  if (open === undefined) return undefined;
  const found = unwrap(open.search.search({ text, limit: 5 }));
  const files = await engine.files(open, found);
  return found.map((chunk) => {
    const bytes = files.get(chunk.fingerprint);
    return bytes === undefined ? 'gone' : chunkText(bytes, chunk).trim();
  });
};
const lease = (value: string) => ({ 'x.ts': `export const lease = '${value}';\n` });

test('a commit that is brought again is the new one for every engine', async () => {
  const [a, b] = engines(createMemoryRepos(() => time));
  const name = { tenant: 't', repository: 'again' };
  for (const value of ['old', 'new']) {
    await put(a, name, 'main', lease(value));
    for (const engine of [a, b]) expect(await ask(engine, name, 'main')).toEqual([`export const lease = '${value}';`]);
  }
});

test('a commit that gave way is not there for any engine', async () => {
  const [a, b] = engines(createMemoryRepos(() => time, { commits: 2 }));
  const name = { tenant: 't', repository: 'gone' };
  await put(a, name, 'c0', lease('same'));
  for (const engine of [a, b]) expect(await ask(engine, name, 'c0')).toHaveLength(1);
  for (const commit of ['c1', 'c2']) await put(a, name, commit, { ...lease('same'), 'y.ts': `// ${commit}\n` });
  for (const engine of [a, b]) expect(await ask(engine, name, 'c0')).toBeUndefined();
});

test('an index at hand is used when it is asked, so it stays', async () => {
  const minute = 60_000;
  const [a, b] = engines(createMemoryRepos(() => time, { ttlMs: 60 * minute }));
  const name = { tenant: 't', repository: 'daily' };
  await put(a, name, 'c', lease('daily'));
  for (let i = 0; i < 3; i++) {
    time += 40 * minute;
    expect(await ask(a, name, 'c')).toHaveLength(1);
  }
  expect(await ask(b, name, 'c')).toEqual(["export const lease = 'daily';"]);
});

test('files that are not there any more are left out and logged', async () => {
  const repos = createMemoryRepos(() => time, { commits: 1 });
  const [a] = engines(repos);
  const name = { tenant: 't', repository: 'hurry' };
  await put(a, name, 'c0', lease('first'));
  const open = await a.open(name, 'c0');
  await put(a, name, 'c1', lease('second'));
  const found = unwrap(open?.search.search({ text: 'lease', limit: 5 }) ?? { ok: true, value: [] });
  expect(found).toHaveLength(1);
  if (open !== undefined) expect((await a.files(open, found)).size).toBe(0);
  const line = lines.map((one) => JSON.parse(one) as Record<string, unknown>).at(-1);
  expect(line).toMatchObject({ level: 'warn', tenant: 't', repository: 'hurry', commit: 'c0', files: 1 });
});

test('one that is too large takes nothing of the others', async () => {
  const [a] = engines(createMemoryRepos(() => time, { bytes: 20_000 }));
  const good = { tenant: 't', repository: 'good' };
  const big = { tenant: 't', repository: 'big' };
  await put(a, good, 'c', lease('good'));
  await put(a, big, 'c', lease('small'));
  let seed = 7;
  // Words that do not deflate to nothing, in more files than are packed at once.
  const word = (): string => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31).toString(36);
  const files = Object.fromEntries(
    Array.from({ length: 250 }, (_, i) => [`f${i}.ts`, Array.from({ length: 30 }, word).join(' ')]),
  );
  await expect(put(a, big, 'c2', files)).rejects.toMatchObject({ code: 'resource_exhausted', field: 'repository' });
  expect(await ask(a, good, 'c')).toHaveLength(1);
  await put(a, big, 'c3', lease('smaller'));
  expect(await ask(a, big, 'c3')).toEqual(["export const lease = 'smaller';"]);
});
