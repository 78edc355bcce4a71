// Sources of the packages that are installed here, until there are enough of them: the same files for the same lockfile.
import { globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chunkFile } from '#core/context/repo/chunk.ts';
import type { Outline, Outliner } from '#core/context/repo/outline.ts';

export interface SourceFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface Corpus {
  readonly files: readonly SourceFile[];
  readonly chunks: number;
  readonly bytes: number;
}

const modules = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'node_modules');

/** Larger files are bundles, which nobody edits. */
const MAX_BYTES = 150_000;

/** At least `chunks` chunks. Throws when too little is installed. */
export function readCorpus(chunks: number, outliner: Outliner): Corpus {
  const files: SourceFile[] = [];
  let found = 0;
  for (const path of globSync('**/*.{ts,js,mjs,md}', { cwd: modules }).sort()) {
    if (found >= chunks) break;
    const full = join(modules, path);
    const stat = statSync(full);
    if (!stat.isFile() || stat.size > MAX_BYTES) continue;
    const bytes = readFileSync(full);
    const own = chunkFile(path, bytes, outliner).chunks.length;
    if (own === 0) continue;
    files.push({ path, bytes });
    found += own;
  }
  if (found < chunks) throw new Error(`node_modules has ${found} chunks alone`);
  return { files, chunks: found, bytes: files.reduce((sum, file) => sum + file.bytes.length, 0) };
}

/** Remembers outlines, so that what comes after the parser can be measured without it. */
export function remembering(outliner: Outliner): Outliner {
  const known = new Map<string, Outline | undefined>();
  return (language, text) => {
    const key = `${language}\0${text}`;
    if (!known.has(key)) known.set(key, outliner(language, text));
    return known.get(key);
  };
}

/** Questions as long as an issue, 30 to 200 words: paragraphs of the corpus's own documents. */
export function questionsOf({ files }: Corpus, most: number): string[] {
  const all = files
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ bytes }) => Buffer.from(bytes).toString().split(/\n#+ /))
    .map((text) => text.split(/\s+/).slice(0, 200))
    .filter((words) => words.length >= 30)
    .map((words) => words.join(' '));
  const step = Math.max(1, Math.floor(all.length / most));
  return all.filter((_, i) => i % step === 0).slice(0, most);
}
