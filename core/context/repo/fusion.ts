// Several lists of scores become one. Each list is divided by its best score and then summed up with its weight: convex combination,
// which beats reciprocal rank fusion where scores mean something (Bruch, Gai, Ingber 2023, "An Analysis of Fusion Functions for
// Hybrid Retrieval"); ranks alone (Cormack, Clarke, Buettcher 2009) are kept for lists of unknown scale.

/** Adds `weight` times each score, by the best one, to `into`. */
export function addScores(into: Float64Array, scores: ArrayLike<number>, weight: number): void {
  let best = 0;
  for (let i = 0; i < scores.length; i++) best = Math.max(best, scores[i] as number);
  if (!(best > 0)) return;
  for (let i = 0; i < scores.length; i++) into[i] = (into[i] as number) + (weight * (scores[i] as number)) / best;
}

/** The constant of reciprocal rank fusion, as its authors chose it. */
const RRF_K = 60;

/** Adds `weight` for the first of a list, less for each that follows: (k + 1) / (k + rank). Unknown numbers are passed over. */
export function addRanks(into: Float64Array, list: Iterable<number>, weight: number): void {
  let rank = 0;
  for (const item of list) {
    rank++;
    const before = into[item];
    if (before !== undefined) into[item] = before + (weight * (RRF_K + 1)) / (RRF_K + rank);
  }
}

/** The `limit` best of a list, best first; of equals the one with the smaller number. Nothing with a score of 0 or less. */
export function best(scores: ArrayLike<number>, limit: number): number[] {
  const found: number[] = [];
  let least = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (!(score > 0) || (found.length === limit && score <= least)) continue;
    let at = found.length;
    while (at > 0 && (scores[found[at - 1] as number] as number) < score) at--;
    found.splice(at, 0, i);
    if (found.length > limit) found.pop();
    least = scores[found.at(-1) as number] as number;
  }
  return found;
}
