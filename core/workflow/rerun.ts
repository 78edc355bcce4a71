// What of a run need not be done again when it is run again from a step: results of steps that succeeded before that step was over, or
// beside it. They are taken by key, topic and input, so that a definition which was mended in between may ask for something else.
import { CortexError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Line, Seed } from './lines.ts';
import { stopSignal } from './run.ts';

export interface Rerun {
  readonly seed: Seed;
  /** Signals that it had taken in by then: those among what is owed. */
  readonly signals: readonly number[];
}

/**
 * The seed of a rerun from a step; with an empty `from`, from the first step that did not succeed. Everything whose step began after that one
 * was over is done again; all of a run that was undone. An error (`invalid_argument`, field `from`) names the steps that there are.
 */
export function rerunFrom(runId: string, lines: readonly Line[], from: string): Result<Rerun> {
  const starts = lines.filter((line) => line.t === 'start');
  const keys = Array.from(new Set(starts.map(({ k }) => k)));
  if (keys.length === 0) return err(new CortexError('failed_precondition', 'the run has done no step: submit it anew'));
  const begun = new Map<string, number>();
  const done = new Map<string, { readonly id: string; readonly at: number }>();
  const over = new Map<string, number>();
  const halted = new Set<string>();
  for (const [i, line] of lines.entries()) {
    if (line.t === 'start' && !begun.has(line.k)) begun.set(line.k, i);
    if (line.t === 'halt') halted.add(line.k);
    // Of one that was told to stop nobody took the result.
    if (line.t !== 'end' || halted.has(line.k)) continue;
    over.set(line.k, i);
    if (line.s === 'SUCCEEDED' && line.p !== undefined) done.set(line.k, { id: line.id, at: i });
  }
  const chosen = from === '' ? keys.find((key) => !done.has(key)) : from;
  if (chosen !== undefined && !keys.includes(chosen)) {
    const problem = `from: the run has no step ${JSON.stringify(chosen)}; there are ${keys.slice(0, 50).join(', ')}`;
    return err(new CortexError('invalid_argument', problem, { field: 'from' }));
  }
  // Without a step that failed everything is kept: what is done again is what followed the last one.
  const cut = chosen === undefined ? lines.length : (over.get(chosen) ?? lines.length);
  // What was done is undone: nothing of it is there any more.
  if (lines.some((line) => line.t === 'undo')) {
    return ok({ seed: { t: 'seed', of: runId, from: chosen ?? '', kept: [], owed: [] }, signals: [] });
  }
  const ends = starts
    .flatMap(({ k, topic, d, n }) => {
      const end = done.get(k);
      if (n > 1 || k === chosen || end === undefined || (begun.get(k) ?? 0) > cut) return [];
      return [{ at: end.at, kept: { k, id: end.id, topic, d } }];
    })
    .toSorted((a, b) => a.at - b.at);
  // A sleep beside the chosen step may be its time-out: that begins anew with it.
  const before = chosen === undefined ? lines.length : (begun.get(chosen) ?? 0);
  const owed: Seed['owed'] = [];
  const signals: number[] = [];
  let n = 0;
  for (const [i, line] of lines.entries()) {
    while ((ends[n]?.at ?? lines.length) < i) n++;
    if (line.t === 'due' && i < before) owed.push({ n, k: line.k });
    if (line.t !== 'signal' || i >= cut || line.name === stopSignal) continue;
    owed.push({ n });
    signals.push(line.i);
  }
  const kept = ends.map((one) => one.kept);
  return ok({ seed: { t: 'seed', of: runId, from: chosen ?? '', kept, owed }, signals });
}
