// What a run remembers, from its journal: the lines as events, with the values that stand elsewhere (results in the store, signals in their
// own list). Results are read as the replay gets to them, a page at a time: the run itself kept none, so neither may whoever takes it up.
import { CortexError } from '#core/errors.ts';
import type { JobKey, JobStore, Seen } from '#core/jobs/store.ts';
import type { Clock } from '#core/system.ts';
import type { Remembered } from '#core/workflow/advance.ts';
import type { ChildEnd, WorkflowEvent } from '#core/workflow/effects.ts';
import type { Journal, Signal } from '#core/workflow/journal.ts';
import { type Happened, isWanted, type Line, parseLine, type Seed, type Wanted } from '#core/workflow/lines.ts';
import { childId } from '#core/workflow/run.ts';
import { persist } from '../worker/retry.ts';

/** What a run's begin says, its time apart. */
export type BeginFacts = Omit<Extract<WorkflowEvent, { type: 'begin' }>, 'type' | 'at'>;

export interface RunMemory {
  /** Lines in all. */
  readonly length: number;
  /** What a rerun need not do again. */
  readonly seed: Pick<Seed, 'kept' | 'owed'>;
  /** Children that it stopped waiting for, and whose end it does not know. */
  readonly dropped: readonly string[];
  /** When it was told something last, ms since the epoch; 0 for a run that has not begun. */
  readonly lastAt: number;
  /** Undefined for a run that has not begun. */
  readonly begin: Extract<Line, { t: 'begin' }> | undefined;
  /** What it was told, in order; of results no more than a page is held at once. */
  remember(begin: BeginFacts): AsyncIterable<Remembered>;
}

export interface MemoryDeps {
  readonly store: Pick<JobStore, 'look'>;
  readonly journal: Journal;
  readonly clock: Clock;
}

/** Results in one page: their number, and their length together unless one alone is longer. */
const page = { results: 64, chars: 4_000_000 };

/** How a child ended, as a run is told. */
export function endOfChild({ job, result }: Seen): ChildEnd {
  const { state, errorCode, errorMessage, final, safetyReason, resultPtr } = job;
  return { state, errorCode, errorMessage, final, safetyReason, resultPtr, jobId: job.id, result };
}

/** The signal as an event. Its value was JSON when it was sent. */
export function signalEvent({ name, value }: Signal, index: number, at: number): WorkflowEvent {
  return { type: 'signal', at, index, name, value: JSON.parse(value) as unknown };
}

/** Reads all of it; waits for a store that is away. Throws `data_loss` when some of it is gone. */
export async function readMemory(
  run: JobKey,
  { store, journal, clock }: MemoryDeps,
  signal: AbortSignal,
): Promise<RunMemory> {
  const patience = { clock, until: () => Number.POSITIVE_INFINITY, signal };
  const texts = await persist(() => journal.lines(run), patience);
  if (texts === undefined) throw new CortexError('aborted', `job ${run.id} is not there any more`);
  const lines = texts.map(parseLine);
  const seeds = lines.filter((line) => line.t === 'seed');
  const rest = lines.slice(seeds.length);
  const seed = { kept: seeds.flatMap((one) => one.kept), owed: seeds.flatMap((one) => one.owed) };
  const begin = rest[0]?.t === 'begin' ? rest[0] : undefined;
  if (begin === undefined) {
    if (rest.length > 0) throw new CortexError('data_loss', `the memory of run ${run.id} has no begin`);
    return { length: texts.length, seed, dropped: [], lastAt: 0, begin, remember: none };
  }

  const groups: { readonly happened: Happened; readonly wanted: Wanted[] }[] = [];
  for (const line of rest) {
    if (line.t === 'seed') throw new CortexError('data_loss', `the memory of run ${run.id} has two begins`);
    if (isWanted(line)) groups.at(-1)?.wanted.push(line);
    else groups.push({ happened: line, wanted: [] });
  }
  const signals = groups.some(({ happened }) => happened.t === 'signal')
    ? await persist(() => journal.signals({ ...run, from: 0 }), patience)
    : [];
  async function* remember(facts: BeginFacts): AsyncGenerator<Remembered> {
    let results: ReadonlyMap<string, string | null> = new Map();
    for (const [i, { happened, wanted }] of groups.entries()) {
      if (hasResult(happened) && !results.has(happened.id)) {
        const ids = pageFrom(groups, i);
        const seen = await persist(() => store.look(ids.map((id) => ({ id, tenant: run.tenant }))), patience);
        results = new Map(ids.map((id, k) => [id, seen[k]?.result ?? null]));
      }
      yield { event: eventOf(happened, { ...facts, results, signals }), wanted };
    }
  }
  const lastAt = groups.at(-1)?.happened.at ?? 0;
  return { length: texts.length, seed, dropped: droppedIn(run.id, rest), lastAt, begin, remember };
}

async function* none(): AsyncGenerator<never> {}

type End = Extract<Happened, { t: 'end' }>;

/** Whether the run was told a result: one that succeeded without is told so again. */
function hasResult(line: Happened): line is End {
  return line.t === 'end' && line.s === 'SUCCEEDED' && line.p !== undefined;
}

/** The ids of results from a place on that fit into one page. */
function pageFrom(groups: readonly { readonly happened: Happened }[], from: number): readonly string[] {
  const ids: string[] = [];
  let chars = 0;
  for (let i = from; i < groups.length && ids.length < page.results; i++) {
    const happened = groups[i]?.happened;
    if (happened === undefined || !hasResult(happened)) continue;
    chars += happened.z ?? page.chars / 8;
    if (ids.length > 0 && chars > page.chars) break;
    ids.push(happened.id);
  }
  return ids;
}

function droppedIn(runId: string, lines: readonly Line[]): readonly string[] {
  return lines.flatMap((line) => (line.t === 'drop' ? [childId(runId, line.k, line.n)] : []));
}

interface Values extends BeginFacts {
  readonly results: ReadonlyMap<string, string | null>;
  readonly signals: readonly Signal[];
}

function eventOf(line: Happened, { runId, workflowId, input, results, signals }: Values): WorkflowEvent {
  const { at } = line;
  switch (line.t) {
    case 'begin':
      return { type: 'begin', at, runId, workflowId, input };
    case 'end': {
      const { k: key, n: attempt, id: jobId, s: state, p = '', c = '', m = '', r = '', f: final = false } = line;
      const result = results.get(jobId) ?? null;
      if (hasResult(line) && result === null) {
        throw new CortexError('data_loss', `step ${key}: the result of ${jobId} is not there any more`);
      }
      const end = { jobId, state, resultPtr: p, errorCode: c, errorMessage: m, final, safetyReason: r, result };
      const kept = jobId !== '' && jobId !== childId(runId, key, attempt);
      return { type: 'end', at, key, attempt, end: kept ? { ...end, kept } : end };
    }
    case 'due':
      return { type: 'due', at, key: line.k };
    case 'signal': {
      const signal = signals[line.i];
      if (signal === undefined) throw new CortexError('data_loss', `signal ${line.name} is not there any more`);
      return signalEvent(signal, line.i, at);
    }
    case 'stop':
      return { type: 'stop', at, error: new CortexError(line.c, line.m) };
  }
}
