// The events of one job as text/event-stream: each transition with the cursor as its id, the progress, the end with its details, and then
// the stream is over. docs/streams.md is its contract.
import { beforeFirst, compareIds, takePage } from '#core/jobs/follow.ts';
import type { JobEvent } from '#core/jobs/job.ts';
import { isEnd, isState, type JobState } from '#core/jobs/state.ts';
import type { StandingJob } from '#core/jobs/store.ts';
import type { GatewayDeps } from '../deps.ts';
import { detailOf, type ReadJob } from '../read-job.ts';
import type { Feed } from './feed.ts';
import type { Lease } from './leases.ts';
import { patiently } from './patience.ts';

export interface JobEventsDeps extends Pick<GatewayDeps, 'store' | 'clock' | 'log'> {
  readonly readJob: ReadJob;
}

export interface JobEventsOptions {
  readonly id: string;
  readonly tenant: string;
  readonly lease: Lease;
  readonly feed: Feed;
  /** Between two signs of life, ms. */
  readonly beatMs: number;
  readonly begin: Begin;
}

/** How a stream begins: with all that happened to the job so far, or behind what its client has seen already. */
export type Begin =
  | { readonly with: 'history'; readonly standing: StandingJob; readonly at: string; readonly reset: boolean }
  | { readonly with: 'events'; readonly events: readonly JobEvent[]; readonly after: string; readonly state: JobState };

/** How long a client should wait before it comes again, ms. */
const retryMs = 2_000;
/** Between two looks at the progress of a running job, ms. */
const progressMs = 2_000;

/** The lines of the stream, a few at a time. Ends when the job has ended, or by the lease. */
export async function* jobEvents(deps: JobEventsDeps, options: JobEventsOptions): AsyncGenerator<string> {
  const { store, clock, log } = deps;
  const { id, tenant, lease, feed, beatMs, begin } = options;
  const { signal } = lease;
  let after = begin.with === 'history' ? begin.at : begin.after;
  let state: JobState = begin.with === 'history' ? begin.standing.job.state : begin.state;
  let progress = '';
  let saidAt = clock.monotonic();

  const end = async (at: string): Promise<string> => {
    const seen = await patiently(deps, signal, () => deps.readJob(id, tenant));
    return block('end', at, seen === undefined ? { id, state } : detailOf(seen));
  };
  const told = async (events: readonly JobEvent[]): Promise<string> => {
    let text = '';
    for (const event of events) {
      ({ state } = event);
      text += isEnd(state)
        ? await end(event.id)
        : block('state', event.id, { job_id: id, state, at: rfc3339(event.ts) });
    }
    return text;
  };
  const history = async (standing: StandingJob, at: string): Promise<string> => {
    ({ state } = standing.job);
    return historyOf(id, standing, at) + (isEnd(state) ? await end(at) : '');
  };
  /** The latest word of a running job, when it is another one than before. */
  const news = async (): Promise<string> => {
    const [one] = (await patiently(deps, signal, () => store.standing(tenant, [{ id }]))).jobs;
    const text = JSON.stringify(one?.job.progress ?? '');
    if (text === progress || one?.job.progress === undefined) return '';
    progress = text;
    return block('progress', undefined, { job_id: id, ...one.job.progress });
  };

  try {
    const first = begin.with === 'history' ? await history(begin.standing, begin.at) : await told(begin.events);
    const reset = begin.with === 'history' && begin.reset ? block('reset', undefined, { job_id: id }) : '';
    yield `retry: ${retryMs}\n\n${reset}${first}`;
    while (!isEnd(state)) {
      const running = state === 'RUNNING';
      if (running) {
        const text = await news();
        if (text !== '') {
          saidAt = clock.monotonic();
          yield text;
        }
      }
      const ms = running ? Math.min(progressMs, beatMs) : beatMs;
      const next = await patiently(deps, signal, () => feed.next(after, { job: id, ms, signal }));
      after = next.cursor;
      let text: string;
      if (next.reset) {
        const { at, jobs } = await patiently(deps, signal, () => store.standing(tenant, [{ id, path: true }]));
        const [standing] = jobs;
        if (standing === undefined) return;
        after = at === '' ? beforeFirst : at;
        text = block('reset', undefined, { job_id: id }) + (await history(standing, after));
      } else text = await told(next.events);
      // An id without data moves the client's last event id on, so that it does not grow old while nothing happens to the job.
      if (text === '' && clock.monotonic() - saidAt >= beatMs) text = `: still here\nid: ${after}\n\n`;
      if (text === '') continue;
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
  if (ended !== undefined && ended !== 'client') yield block('bye', undefined, { reason: ended, cursor: after });
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
function historyOf(id: string, { job, path }: StandingJob, at: string): string {
  const steps = path.flatMap((line) => {
    const [seconds = '', state = ''] = line.split('|');
    return isState(state) && !isEnd(state) ? [{ job_id: id, state, at: rfc3339(Number(seconds) * 1000) }] : [];
  });
  const last = isEnd(job.state) ? steps.length : steps.length - 1;
  return steps.map((step, i) => block('state', i === last ? at : undefined, step)).join('');
}

function block(event: string, id: string | undefined, data: unknown): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
