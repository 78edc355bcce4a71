// The weights of the ranking, in one place. They were chosen by `npm run eval -- retrieval` on half of its packages and judged on the
// other half; docs/context-library.md has the figures.
import type { FileKind } from './kind.ts';

export interface Ranking {
  /** Of each field, its best score being 1. */
  readonly file: number;
  readonly chunk: number;
  readonly definitions: number;
  readonly path: number;
  /** Of the list by meaning, if there is one. */
  readonly nearest: number;
  /** For a file that the question names. */
  readonly mention: number;
  /** Of what comes by links from the hits, and how many hits the walk begins at. */
  readonly links: number;
  readonly hits: number;
  /** Factors by kind of file. */
  readonly kinds: Readonly<Record<FileKind, number>>;
  /** How much a long file or chunk pays for its length, the b of BM25. */
  readonly length: number;
  /** Chunks of one file among the results. */
  readonly perFile: number;
}

export const defaultRanking: Ranking = {
  file: 1,
  chunk: 0.5,
  definitions: 0.5,
  path: 0.5,
  nearest: 1,
  mention: 3,
  links: 1,
  hits: 20,
  kinds: { source: 1, test: 0.6, docs: 0.7, generated: 0.3, vendored: 0.2, lock: 0.05 },
  length: 0.35,
  perFile: 3,
};

/** BM25 over the text of files and nothing else: what the evaluation compares with. */
export const plainRanking: Ranking = {
  ...defaultRanking,
  chunk: 0,
  definitions: 0,
  path: 0,
  mention: 0,
  links: 0,
  length: 0.75,
  kinds: { source: 1, test: 1, docs: 1, generated: 1, vendored: 1, lock: 1 },
};
