// `npm run eval -- retrieval`: does the search find the files that a change touched, asked with the words of the changelog? Beside it,
// in the same run, BM25 over the text of files.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import { defaultRanking, plainRanking } from '#core/context/repo/ranking.ts';
import { emptyIndex, type RepoIndex, updateIndex } from '#core/context/repo/repo-index.ts';
import { openSearch } from '#core/context/repo/search.ts';
import { fetchVersions } from './archives.ts';
import { packages } from './packages.ts';
import { type Pair, pairsOf } from './pairs.ts';

const help = `npm run eval -- retrieval [options]
  --only NAME    one package
  --part PART    tuned or held-out; default: both
  --misses       tells for each question what was right and what came first`;

export interface Recall {
  readonly at5: number;
  readonly at10: number;
}

/** Prints recall by package and for both halves. Throws Error with a sentence for a wrong option. */
export async function evalRetrieval(args: readonly string[]): Promise<void> {
  const options = {
    only: { type: 'string' },
    part: { type: 'string' },
    misses: { type: 'boolean' },
    help: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help === true) return console.log(help);
  const { only, part } = values;
  const chosen = packages.filter((p) => (only ?? p.name) === p.name && (part ?? p.part) === p.part);
  if (chosen.length === 0) throw new Error('--only, --part: no package is so called');
  const folder = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '.cortex', 'evals', 'retrieval');
  const outliner = await loadOutliner(['javascript', 'typescript']);
  const rows: (Scored & { readonly part: string })[] = [];
  console.log('package              part      pairs  files   BM25 @5   @10   ours @5   @10');
  for (const one of chosen) {
    await fetchVersions(one, folder);
    const found: Scored[] = [];
    // Each version is the one before with some files changed.
    let index = emptyIndex;
    for await (const pair of pairsOf(one, folder)) {
      const now = new Set(pair.files.map(({ path }) => path));
      const gone = index.files.filter(({ path }) => !now.has(path)).map(({ path }) => ({ path }));
      index = updateIndex(index, [...gone, ...pair.files], outliner);
      found.push(judge(index, pair, values.misses === true));
    }
    rows.push(...found.map((row) => ({ ...row, part: one.part })));
    console.log(line(one.name, one.part, found));
  }
  for (const half of ['tuned', 'held-out']) {
    const of = rows.filter((row) => row.part === half);
    if (of.length > 0) console.log(line('all', half, of));
  }
  console.log(line('all', '', rows));
}

interface Scored {
  readonly files: number;
  readonly plain: Recall;
  readonly ours: Recall;
}

function judge(index: RepoIndex, pair: Pair, misses: boolean): Scored {
  const first = (ranking: typeof defaultRanking): string[] => {
    const found = openSearch(index, ranking).files({ text: pair.text, limit: 10 });
    if (!found.ok) throw found.error;
    return found.value.map(({ path }) => path);
  };
  const ours = first(defaultRanking);
  if (misses) {
    const right = new Set(pair.changed);
    console.log(`${pair.name}@${pair.version}: ${pair.text.replaceAll('\n', ' | ').slice(0, 300)}`);
    console.log(`  changed ${pair.changed.join(' ')}`);
    console.log(`  found   ${ours.map((path) => (right.has(path) ? `[${path}]` : path)).join(' ')}`);
  }
  return { files: index.files.length, plain: recall(first(plainRanking), pair), ours: recall(ours, pair) };
}

/** The share of the changed files among the first 5 and 10; of more than 5 changed files, as many as can be there. */
function recall(found: readonly string[], { changed }: Pair): Recall {
  const at = (most: number): number =>
    found.slice(0, most).filter((path) => changed.includes(path)).length / Math.min(most, changed.length);
  return { at5: at(5), at10: at(10) };
}

function line(name: string, part: string, rows: readonly Scored[]): string {
  const mean = (of: (row: Scored) => number): string =>
    (rows.reduce((sum, row) => sum + of(row), 0) / Math.max(1, rows.length)).toFixed(3);
  const files = (rows.reduce((sum, row) => sum + row.files, 0) / Math.max(1, rows.length)).toFixed(0);
  return [
    name.padEnd(20),
    part.padEnd(9),
    String(rows.length).padStart(5),
    files.padStart(6),
    mean((row) => row.plain.at5).padStart(9),
    mean((row) => row.plain.at10),
    mean((row) => row.ours.at5).padStart(9),
    mean((row) => row.ours.at10),
  ].join(' ');
}
