// Finds the files and chunks that a question is about. Same index, same question, same answer, in the same order.
import { type CortexError, invalid } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { headerOf } from './chunk.ts';
import { addRanks, addScores, best } from './fusion.ts';
import { type Graph, graphOf } from './graph.ts';
import { type FileKind, kindOf } from './kind.ts';
import { type Mention, mentionsIn, pathEnds } from './mentions.ts';
import { pageRank } from './pagerank.ts';
import { defaultRanking, type Ranking } from './ranking.ts';
import { reasonsOf } from './reasons.ts';
import { chunkAt, type IndexedFile, type RepoIndex } from './repo-index.ts';
import { fieldLengths, type FieldScores, find, type QueryTerm, queryTerms, scoreFields } from './scores.ts';

/** Characters of a question that are read, and different terms of it. */
export const MAX_TEXT = 20_000;
const MAX_TERMS = 400;
export const MAX_LIMIT = 1_000;

export interface Query {
  readonly text: string;
  /** Most results; 1 to 1,000. */
  readonly limit: number;
  /** Only files whose path begins with one of these. */
  readonly paths?: readonly string[];
  /** Factors by path, 0 to 1,000: what else the caller knows about a file. 0 leaves it out. */
  readonly boosts?: Readonly<Record<string, number>>;
  /** Numbers of chunks, the nearest first, from somebody who compares meanings: one more list to fuse, see embeddings.ts. */
  readonly nearest?: readonly number[];
}

export interface FoundFile {
  readonly path: string;
  readonly score: number;
  /** Why, in words. */
  readonly reason: string;
}

export interface FoundChunk extends FoundFile {
  /** First and last line, from 1. */
  readonly from: number;
  readonly to: number;
  /** Its bytes in the file. */
  readonly start: number;
  readonly end: number;
  /** Path, lines and the signatures around it. */
  readonly header: string;
  /** Those signatures, the outermost first. */
  readonly scopes: readonly string[];
  /** Of the file's bytes when they were indexed. */
  readonly fingerprint: string;
}

export interface RepoSearch {
  readonly index: RepoIndex;
  /** Chunks, best first; at most three of one file (`perFile` of ranking.ts). `invalid_argument` names the field that is wrong. */
  search(query: Query): Result<readonly FoundChunk[]>;
  /** Files, best first. */
  files(query: Query): Result<readonly FoundFile[]>;
}

/** Makes an index ready for questions; takes some milliseconds, so once for many. */
export function openSearch(
  index: RepoIndex,
  ranking: Ranking = defaultRanking,
  graph: Graph = index.graph ?? graphOf(index),
): RepoSearch {
  const paths = index.files.map(({ path }) => path);
  const lengths = fieldLengths(index, ranking.length);
  const ends = pathEnds(paths);
  const kinds = paths.map((path): FileKind => kindOf(path));

  function rank(query: Query): Ranked {
    const text = query.text.slice(0, MAX_TEXT);
    const terms = queryTerms(index, text, MAX_TERMS);
    const fields = scoreFields(index, lengths, terms);
    const mentions = mentionsIn(text, paths, ends);
    const scores = new Float64Array(paths.length);
    addScores(scores, fields.file, ranking.file);
    addScores(scores, fields.best, ranking.chunk);
    addScores(scores, fields.definitions, ranking.definitions);
    addScores(scores, fields.paths, ranking.path);
    const { nearest } = query;
    if (nearest !== undefined) {
      addRanks(scores, new Set(nearest.map((chunk) => index.fileOf[chunk] ?? -1)), ranking.nearest);
      addRanks(fields.chunk, nearest, fields.chunk.reduce((a, b) => Math.max(a, b), 0) || 1);
    }
    // A file that the question names is meant, whatever its kind.
    const named = new Set(mentions.map(({ file }) => file));
    for (const file of named) scores[file] = (scores[file] as number) + ranking.mention;
    for (let file = 0; file < paths.length; file++) {
      if (!named.has(file)) scores[file] = (scores[file] as number) * ranking.kinds[kinds[file] as FileKind];
    }
    for (const [path, boost] of Object.entries(query.boosts ?? {})) {
      const file = find(paths, path);
      if (file >= 0) scores[file] = (scores[file] as number) * boost;
    }
    keepInside(scores, query);
    const linked = ranking.links > 0 ? addLinks(scores, query) : new Float64Array(paths.length);
    return { terms, fields, mentions, scores, linked, near: new Set(nearest) };
  }

  /** Takes out what is not asked for: other paths, and what the caller weighs with nothing. */
  function keepInside(scores: Float64Array, { paths: prefixes, boosts = {} }: Query): void {
    if (prefixes !== undefined) {
      for (const [file, path] of paths.entries()) {
        if (!prefixes.some((prefix) => path.startsWith(prefix))) scores[file] = 0;
      }
    }
    for (const [path, boost] of Object.entries(boosts)) {
      const file = boost === 0 ? find(paths, path) : -1;
      if (file >= 0) scores[file] = 0;
    }
  }

  /** The walk begins at the best files alone: a thousand files that hold one common word lead everywhere. */
  function addLinks(scores: Float64Array, query: Query): Float64Array {
    const restart = new Float64Array(scores.length);
    const hits = best(scores, ranking.hits);
    const sum = hits.reduce((total, file) => total + (scores[file] as number), 0);
    for (const file of hits) restart[file] = (scores[file] as number) / sum;
    const linked = pageRank(graph, restart);
    for (let file = 0; file < paths.length; file++) {
      linked[file] = (linked[file] as number) * ranking.kinds[kinds[file] as FileKind];
    }
    keepInside(linked, query);
    addScores(scores, linked, ranking.links);
    return linked;
  }

  return {
    index,
    files(query) {
      const wrong = problem(query);
      if (wrong !== undefined) return err(wrong);
      const ranked = rank(query);
      return ok(
        best(ranked.scores, query.limit).map((file) => ({
          path: paths[file] as string,
          score: ranked.scores[file] as number,
          reason: reasonsOf(index, ranked, file),
        })),
      );
    },
    search(query) {
      const wrong = problem(query);
      if (wrong !== undefined) return err(wrong);
      const ranked = rank(query);
      return ok(
        best(chunkScores(index, ranked, ranking, query.limit), query.limit).map((number) => {
          const { file, chunk } = chunkAt(index, number);
          return found(file, chunk, ranked, number);
        }),
      );
    },
  };

  function found(file: IndexedFile, chunk: IndexedFile['chunks'][number], ranked: Ranked, number: number): FoundChunk {
    const { from, to, start, end } = chunk;
    return {
      path: file.path,
      from,
      to,
      start,
      end,
      score: ranked.chunkScores?.[number] ?? 0,
      reason: reasonsOf(index, ranked, index.fileOf[number] as number, number),
      header: headerOf(file.path, chunk),
      scopes: chunk.scopes,
      fingerprint: file.fingerprint,
    };
  }
}

export interface Ranked {
  readonly terms: readonly QueryTerm[];
  readonly fields: FieldScores;
  readonly mentions: readonly Mention[];
  /** By file. */
  readonly scores: Float64Array;
  /** By file: what came by links. */
  readonly linked: Float64Array;
  /** Chunks that came by their meaning. */
  readonly near: ReadonlySet<number>;
  /** By chunk, once they were asked for. */
  chunkScores?: Float64Array;
}

/** A chunk is as good as its file, times its share in the file's best chunk; a line that the question names comes first. */
function chunkScores(index: RepoIndex, ranked: Ranked, ranking: Ranking, limit: number): Float64Array {
  const scores = new Float64Array(index.fileOf.length);
  const lines = new Map<number, number[]>();
  for (const { file, line } of ranked.mentions) if (line > 0) lines.set(file, [...(lines.get(file) ?? []), line]);
  for (const file of best(ranked.scores, limit)) {
    const first = index.firstChunk[file] as number;
    const end = index.firstChunk[file + 1] as number;
    const named = lines.get(file) ?? [];
    const own: number[] = Array.from({ length: end - first }, (_, i) => {
      const share = (ranked.fields.chunk[first + i] as number) / ((ranked.fields.best[file] as number) || 1);
      const chunk = (index.files[file] as IndexedFile).chunks[i];
      const hit = named.some((line) => chunk !== undefined && chunk.from <= line && line <= chunk.to);
      return hit ? 2 : share;
    });
    // A file found by its path or its links alone has no chunk of its own merit: its beginning stands for it.
    if (!own.some((share) => share > 0)) own[0] = 0.5;
    for (const i of best(own, ranking.perFile)) {
      scores[first + i] = (ranked.scores[file] as number) * (0.5 + 0.5 * Math.min(2, own[i] as number));
    }
  }
  ranked.chunkScores = scores;
  return scores;
}

function problem({ text, limit, boosts, paths }: Query): CortexError | undefined {
  if (typeof text !== 'string') return invalid('text', 'must be a string');
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    return invalid('limit', `must be a whole number from 1 to ${MAX_LIMIT}`);
  }
  if (paths?.some((path) => typeof path !== 'string') === true) return invalid('paths', 'must be strings');
  for (const [path, factor] of Object.entries(boosts ?? {})) {
    if (!(factor >= 0 && factor <= 1_000)) return invalid(`boosts.${path}`, 'must be a number from 0 to 1,000');
  }
  return undefined;
}
