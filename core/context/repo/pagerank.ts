// PageRank (Page, Brin, Motwani, Winograd 1999), personalised: the walker starts again at the hits of a question, so what ranks high is
// what hangs together with them (Haveliwala 2002, "Topic-sensitive PageRank").
import type { Graph } from './graph.ts';

/** How often the walker goes on rather than starts again. Low: two or three steps from a hit nothing is about the question any more. */
const DAMPING = 0.5;
const ROUNDS = 4;

/** Less than this goes no further: it would not change an order, and most of the time goes into it. */
const LEAST = 1e-4;

/**
 * The rank of each file; what a file has too little of to pass on, and what one without edges has,
 * goes back to the start, so that they sum up to 1 if `restart` does.
 */
export function pageRank({ starts, targets, weights }: Graph, restart: Float64Array): Float64Array {
  const count = restart.length;
  let rank = restart.slice();
  let next = new Float64Array(count);
  for (let round = 0; round < ROUNDS; round++) {
    let lost = 0;
    next.fill(0);
    for (let from = 0; from < count; from++) {
      const mass = rank[from] as number;
      const end = starts[from + 1] as number;
      let at = starts[from] as number;
      if (mass === 0) continue;
      if (at === end || mass < LEAST) {
        lost += mass;
        continue;
      }
      for (; at < end; at++) {
        const to = targets[at] as number;
        next[to] = (next[to] as number) + mass * (weights[at] as number);
      }
    }
    for (let i = 0; i < count; i++) {
      next[i] = (1 - DAMPING + DAMPING * lost) * (restart[i] as number) + DAMPING * (next[i] as number);
    }
    [rank, next] = [next, rank];
  }
  return rank;
}
