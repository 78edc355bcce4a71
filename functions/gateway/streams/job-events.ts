// The events of one job as text/event-stream: each transition with the cursor as its id, the progress, the text that it
// gives out, the end with its details, and then
// the stream is over. docs/streams.md is its contract.
import { beforeFirst, compareIds, fromOldest, takePage } from '#core/jobs/follow.ts';
import type { JobEvent } from '#core/jobs/job.ts';
import { isEnd, isState, type JobState } from '#core/jobs/state.ts';
import type { StandingJob } from '#core/jobs/store.ts';
import type { GatewayDeps } from '../deps.ts';
import { detailOf, type ReadJob } from '../read-job.ts';
import { formatCursor } from './cursor.ts';
import type { Feed, News } from './feed.ts';
import { hearsOutput, type JobOutput } from './job-output.ts';
import type { Lease } from './leases.ts';
import { patiently } from './patience.ts';

export interface JobEventsDeps extends Pick<GatewayDeps, 'store' | 'clock' | 'log' | 'subscribe' | 'isolated'> {
  readonly readJob: ReadJob;
}

export interface JobEventsOptions {
  readonly id: string;
  readonly tenant: string;
  readonly lease: Lease;
  readonly feed: Feed;
  readonly output: JobOutput;
  /** Between two signs of life, ms. */
  readonly beatMs: number;
  readonly begin: Begin;
}

/** How a stream begins: with all that happened to the job so far, behind what its client has seen already, or with the end alone. */
export type Begin =
  | { readonly with: 'history'; readonly standing: StandingJob; readonly at: string; readonly reset: boolean }
  | {
      readonly with: 'events';
      readonly events: readonly JobEvent[];
      /** Where the client stands, and where the stream is behind the events. */
      readonly from: string;
      readonly after: string;
      readonly state: JobState;
    }
  | { readonly with: 'end'; readonly at: string; readonly state: JobState };

/** How long a client should wait before it comes again, ms. */
const retryMs = 2_000;
/** Between two looks at a running job, for its progress and for text whose news was lost, ms. */
const lookMs = 2_000;
/** The same where there is no news of text; while text comes, and otherwise. */
const pollMs = { busy: 250, idle: 1_000 };
/** How long text counts as coming, ms. */
const busyMs = 5_000;

/** The lines of the stream, a few at a time. Ends when the job has ended, or by the lease. */
export async function* jobEvents(deps: JobEventsDeps, options: JobEventsOptions): AsyncGenerator<string> {
  const { store, clock, log } = deps;
  const { id, tenant, lease, feed, output, beatMs, begin } = options;
  const { signal } = lease;
  const hears = hearsOutput(deps);
  let after = begin.with === 'events' ? begin.after : begin.at;
  /** What is told: all up to there, or all up to there but the end. */
  let told = begin.with === 'events' ? begin.from : begin.with === 'end' ? begin.at : fromOldest;
  let ending = begin.with === 'end';
  let state: JobState = begin.with === 'history' ? begin.standing.job.state : begin.state;
  let progress = '';
  let saidAt = clock.monotonic();
  let outputAt = Number.NEGATIVE_INFINITY;
  let lookAt = 0;
  const cursor = (): string => formatCursor(told, output.place, ending);

  async function* pieces(): AsyncGenerator<string> {
    for await (const piece of output.pieces()) {
      saidAt = outputAt = clock.monotonic();
      yield block('output', cursor(), piece);
    }
  }
  async function* end(at: string): AsyncGenerator<string> {
    const seen = await patiently(deps, signal, () => deps.readJob(id, tenant));
    // An attempt stores its text before its end.
    if (seen?.job.output !== undefined) yield* pieces();
    yield block('end', at, seen === undefined ? { id, state } : detailOf(seen));
  }
  async function* tell(events: readonly JobEvent[]): AsyncGenerator<string> {
    for (const event of events) {
      ({ state } = event);
      if (isEnd(state)) yield* end(event.id);
      told = event.id;
      if (!isEnd(state)) yield block('state', cursor(), { job_id: id, state, at: rfc3339(event.ts) });
    }
  }
  async function* history(standing: StandingJob, at: string, head: string): AsyncGenerator<string> {
    ({ state } = standing.job);
    told = at;
    ending = isEnd(state);
    if (standing.job.output !== undefined) output.hint();
    yield head + historyOf(id, standing, ending ? undefined : cursor());
    if (ending) yield* end(at);
  }
  /** The latest word of a running job, when it is another one than before. */
  const look = async (): Promise<string> => {
    const [one] = (await patiently(deps, signal, () => store.standing(tenant, [{ id }]))).jobs;
    if (one?.job.output !== undefined) output.hint();
    const text = JSON.stringify(one?.job.progress ?? '');
    if (text === progress || one?.job.progress === undefined) return '';
    progress = text;
    return block('progress', undefined, { job_id: id, ...one.job.progress });
  };
  const lookIn = (): number => {
    if (hears) return lookMs;
    return clock.monotonic() - outputAt < busyMs ? pollMs.busy : pollMs.idle;
  };
  async function* follow(): AsyncGenerator<string> {
    let pending: Promise<News> | undefined;
    while (!isEnd(state)) {
      const running = state === 'RUNNING';
      if (running) output.listen();
      if (running && clock.monotonic() >= lookAt) {
        const text = await look();
        lookAt = clock.monotonic() + lookIn();
        if (text !== '') yield text;
      }
      if (output.due) yield* pieces();
      if (pending === undefined) {
        const ms = running ? Math.min(Math.max(0, lookAt - clock.monotonic()), beatMs) : beatMs;
        pending = patiently(deps, signal, () => feed.next(after, { job: id, ms, signal }));
        pending.catch(() => undefined); // it is heard of where it is waited for
      }
      const next = await Promise.race([pending, output.heard()]);
      if (next === undefined) continue;
      pending = undefined;
      after = next.cursor;
      if (next.reset) {
        const { at, jobs } = await patiently(deps, signal, () => store.standing(tenant, [{ id, path: true }]));
        const [standing] = jobs;
        if (standing === undefined) return;
        after = at === '' ? beforeFirst : at;
        yield* history(standing, after, block('reset', undefined, { job_id: id }));
        continue;
      }
      if (next.events.some((event) => event.state === 'RUNNING')) lookAt = 0;
      yield* tell(next.events);
      if (!isEnd(state)) told = after;
      // An id without data moves the client's last event id on, so that it does not grow old while nothing happens to the job.
      if (clock.monotonic() - saidAt >= beatMs) yield `: still here\nid: ${cursor()}\n\n`;
    }
  }
  async function* whole(): AsyncGenerator<string> {
    const head = `retry: ${retryMs}\n\n`;
    if (begin.with === 'history') {
      const reset = begin.reset ? block('reset', undefined, { job_id: id }) : '';
      yield* history(begin.standing, begin.at, head + reset);
    } else {
      yield head;
      if (begin.with === 'end') yield* end(begin.at);
      else yield* tell(begin.events);
    }
    yield* follow();
  }

  try {
    for await (const text of whole()) {
      saidAt = clock.monotonic();
      yield text;
    }
  } catch (error) {
    if (!signal.aborted) {
      log.error('a stream of events failed', { job_id: id, tenant, error });
      lease.end('failed');
    }
  }
  const { ended } = lease;
  if (ended !== undefined && ended !== 'client') yield block('bye', undefined, { reason: ended, cursor: cursor() });
}

/**
 * The events of the job that a client at `after` has not seen, of a job that had ended when the stream was at `at`; undefined where some
 * are not kept any more.
 */
export async function restOf(
  store: JobEventsDeps['store'],
  { id, tenant }: Pick<JobEventsOptions, 'id' | 'tenant'>,
  after: string,
  at: string,
): Promise<readonly JobEvent[] | undefined> {
  const found: JobEvent[] = [];
  for (let from = after; compareIds(from, at) < 0; ) {
    const page = await store.events(tenant, from, 1_000);
    const { events, last, reset } = takePage(from, page);
    if (reset !== undefined) return undefined;
    if (events.length === 0) break;
    found.push(...events.filter((event) => event.job === id && compareIds(event.id, at) <= 0));
    from = last;
  }
  return found;
}

/** All transitions so far but an end. Only the last has an id: whoever breaks off before it has seen nothing and begins anew. */
function historyOf(id: string, { path }: StandingJob, cursor: string | undefined): string {
  const steps = path.flatMap((line) => {
    const [seconds = '', state = ''] = line.split('|');
    return isState(state) && !isEnd(state) ? [{ job_id: id, state, at: rfc3339(Number(seconds) * 1000) }] : [];
  });
  return steps.map((step, i) => block('state', i === steps.length - 1 ? cursor : undefined, step)).join('');
}

function block(event: string, id: string | undefined, data: unknown): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
