// `npm run bench -- context`: what the index of a repository costs, beside minisearch with the same chunks and fields, turn and turn about
// in one process; then windows (windows.ts).
import { parseArgs } from 'node:util';
import MiniSearch from 'minisearch';
import { decodeIndex, encodeIndex } from '#core/context/repo/blob.ts';
import { textOf } from '#core/context/repo/chunk.ts';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import type { Outliner } from '#core/context/repo/outline.ts';
import { chunkAt, indexFiles, type RepoIndex, updateIndex } from '#core/context/repo/repo-index.ts';
import { openSearch } from '#core/context/repo/search.ts';
import { unwrap } from '#core/result.ts';
import { quantile, spread } from '../path/stats.ts';
import { type Corpus, questionsOf, readCorpus, remembering, type SourceFile } from './corpus.ts';
import { benchWindows } from './windows.ts';

const help = `npm run bench -- context [options]
  --chunks N      at least so many, default 10000
  --questions N   asked in each round, default 200
  --rounds N      default 5
  --windows       these alone`;

const CHANGED = 20;

type Figures = Map<string, number[]>;

/** Prints a table. Throws Error with a sentence for a wrong option. */
export async function benchContext(args: readonly string[]): Promise<void> {
  const options = {
    chunks: { type: 'string' },
    questions: { type: 'string' },
    rounds: { type: 'string' },
    windows: { type: 'boolean' },
    help: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help === true) return console.log(help);
  const wanted = {
    chunks: whole('chunks', values.chunks ?? '10000'),
    questions: whole('questions', values.questions ?? '200'),
    rounds: whole('rounds', values.rounds ?? '5'),
  };
  if (values.windows !== true) await benchIndex(wanted);
  await benchWindows(wanted);
}

async function benchIndex({ chunks, questions: most, rounds }: Parameters<typeof benchWindows>[0]): Promise<void> {
  const outliner = await loadOutliner(['javascript', 'typescript']);
  const corpus = readCorpus(chunks, outliner);
  const questions = questionsOf(corpus, most);
  console.log(
    `${corpus.files.length} files, ${corpus.chunks} chunks, ${(corpus.bytes / 1e6).toFixed(1)} MB; ${questions.length} questions`,
  );
  const outlined = remembering(outliner);
  const figures: Figures = new Map();
  for (let round = 0; round < rounds; round++) {
    const index = ours(corpus, questions, outliner, outlined, figures);
    theirs(corpus, index, questions, figures);
  }
  for (const [name, all] of figures) {
    const { median, min, max } = spread(all);
    console.log(`${name.padEnd(44)} ${show(median).padStart(10)}   (${show(min)} to ${show(max)})`);
  }
}

function ours(
  corpus: Corpus,
  questions: readonly string[],
  parse: Outliner,
  outlined: Outliner,
  figures: Figures,
): RepoIndex {
  timed(figures, 'index, ms', () => indexFiles(corpus.files, parse));
  indexFiles(corpus.files, outlined);
  const index = timed(figures, 'index, syntax known, ms', () => indexFiles(corpus.files, outlined));
  const blob = timed(figures, 'encode, ms', () => encodeIndex(index));
  note(figures, 'size, MB', blob.length / 1e6);
  const loaded = timed(figures, 'decode, ms', () => unwrap(decodeIndex(blob)));
  const search = timed(figures, 'open, ms', () => openSearch(loaded));
  const changes = edited(corpus.files);
  timed(figures, `${CHANGED} files changed, index in memory, ms`, () => updateIndex(loaded, changes, parse));
  timed(figures, `${CHANGED} files changed, blob to blob, ms`, () =>
    encodeIndex(updateIndex(unwrap(decodeIndex(blob)), changes, parse)),
  );
  for (const text of questions) unwrap(search.search({ text, limit: 20 }));
  ask(figures, 'query', questions, (text) => unwrap(search.search({ text, limit: 20 })));
  return index;
}

/** Spread over the corpus, each with one more function. */
function edited(files: readonly SourceFile[]): SourceFile[] {
  const sources = files.filter(({ path }) => !path.endsWith('.md'));
  const step = Math.floor(sources.length / CHANGED);
  return sources
    .filter((_, i) => i % step === 0)
    .slice(0, CHANGED)
    .map(({ path, bytes }) => ({
      path,
      bytes: Buffer.concat([bytes, Buffer.from('\nfunction addedByTheBench() {}\n')]),
    }));
}

function theirs({ files }: Corpus, index: RepoIndex, questions: readonly string[], figures: Figures): void {
  const bytes = new Map(files.map((file) => [file.path, file.bytes]));
  const documents = Array.from(index.fileOf, (_, id) => {
    const { file, chunk } = chunkAt(index, id);
    return {
      id,
      path: file.path,
      definitions: chunk.definitions.map(({ name }) => name).join(' '),
      text: textOf(bytes.get(file.path) ?? new Uint8Array(0), chunk.start, chunk.end),
    };
  });
  const mini = new MiniSearch({ fields: ['path', 'definitions', 'text'] });
  timed(figures, 'minisearch: index, chunks known, ms', () => mini.addAll(documents));
  const json = timed(figures, 'minisearch: encode, ms', () => JSON.stringify(mini));
  note(figures, 'minisearch: size, MB', Buffer.byteLength(json) / 1e6);
  timed(figures, 'minisearch: decode, ms', () =>
    MiniSearch.loadJSON(json, { fields: ['path', 'definitions', 'text'] }),
  );
  const some = questions.filter((_, i) => i % 10 === 0);
  ask(figures, 'minisearch: query', some, (text) => mini.search(text).slice(0, 20));
}

function ask(figures: Figures, name: string, questions: readonly string[], answer: (text: string) => unknown): void {
  const times = questions.map((text) => {
    const start = cpu();
    answer(text);
    return cpu() - start;
  });
  note(figures, `${name} p50, ms`, quantile(times, 0.5));
  note(figures, `${name} p99, ms`, quantile(times, 0.99));
}

function timed<T>(figures: Figures, name: string, run: () => T): T {
  const start = cpu();
  const result = run();
  note(figures, name, cpu() - start);
  return result;
}

/** Milliseconds of this thread's CPU: what a clock would say on a machine where nobody else works. */
function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function note(figures: Figures, name: string, figure: number): void {
  figures.set(name, [...(figures.get(name) ?? []), figure]);
}

function show(figure: number): string {
  return figure < 10 ? figure.toFixed(2) : figure.toFixed(0);
}

function whole(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} must be a whole number above 0`);
  return number;
}
