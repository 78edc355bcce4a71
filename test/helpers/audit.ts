// The auditor: what must hold of a job store's books after every operation, whatever it was. It answers what does not hold.
import { isEnd, isState, type JobState, mayGo } from '#core/jobs/state.ts';
import type { BookedEvent, BookedJob, Books } from './books.ts';

export interface AuditContext {
  /** The store's time, ms. */
  readonly now: number;
  /** Ends that the store was told are announced. */
  readonly announced: ReadonlySet<string>;
  /** Slots of each worker. A worker that is not named is not checked. */
  readonly capacity: ReadonlyMap<string, number>;
  /** The longest that anybody pushes ahead what is due, or holds a job at the gate, ms. */
  readonly pushMs: number;
}

/** How long an end waits for its announcement before somebody looks at it, ms. */
const announceMs = 2000;

/** What is wrong, one sentence each; empty for sound books. */
export function audit(books: Books, context: AuditContext): string[] {
  const wrong = [...books.strays.map((stray) => `stray: ${stray}`)];
  const index = indexOf(books);
  for (const job of books.jobs.values())
    wrong.push(...job_(job, books, context, index).map((what) => `${job.id} (${job.state}): ${what}`));
  wrong.push(...collections(books, context), ...ready(books), ...streams(books));
  return wrong;
}

function job_(job: BookedJob, books: Books, context: AuditContext, index: Index): string[] {
  const wrong: string[] = [];
  const must = (holds: boolean, what: string): void => {
    if (!holds) wrong.push(what);
  };
  const { now, announced, pushMs } = context;
  const ended = isEnd(job.state);
  const held = job.state === 'DISPATCHED' || job.state === 'RUNNING';
  const dueAt = books.due.get(job.id);

  // Nothing that lives, and no end that nobody heard of, is ever forgotten.
  if (ended)
    must((dueAt !== undefined) === !announced.has(job.id), `ended, due: ${dueAt}, announced: ${announced.has(job.id)}`);
  else must(dueAt !== undefined, 'lives and is not due');
  const slot = job.worker === '' ? undefined : books.slots.get(job.worker)?.get(job.id);
  if (dueAt !== undefined) {
    const soon = now + pushMs;
    must(
      dueAt <= Math.max(latest(job, slot, now), soon),
      `due at ${dueAt - now} ms from now, later than something happens`,
    );
  }

  const { life } = job;
  const lasting = ended ? 'ending' : 'lasting';
  must(life.record === lasting, `the record is ${life.record}`);
  must(life.events === lasting, `the transitions are ${life.events}`);
  must(life.packet === (ended ? 'absent' : 'lasting'), `the packet is ${life.packet}`);
  must(life.payload === 'absent' || life.payload === lasting, `the payload is ${life.payload}`);
  must(life.output === 'absent' || life.output === lasting, `the output is ${life.output}`);
  must(life.redacted === 'absent' || life.redacted === lasting, `the redacted payload is ${life.redacted}`);
  must(!ended || life.moved !== 'lasting', `what the redacted payload was moved from is ${life.moved}`);
  if (ended) must(life.result !== 'lasting', `the result is ${life.result}`);
  must(life.idempotency === 'absent' || life.idempotency === lasting, `the idempotency entry is ${life.idempotency}`);
  for (const artifact of job.artifacts) must(artifact !== 'lasting', `an artifact is ${artifact}`);

  must((job.attempt !== '') === held || ended, `attempt '${job.attempt}'`);
  must(!held || job.worker !== '', 'nobody holds it');
  must(!job.queued || job.state === 'SCHEDULED', 'in a ready queue');
  must(job.endedAt > 0 === ended, `ended at ${job.endedAt}`);
  must(/^\d+$/.test(job.fence), `fence '${job.fence}'`);
  // Nothing that needs a person is handed out without the word of one, for this body under the policy that asked.
  const passed = job.state === 'SCHEDULED' || held;
  const word = `${job.digest} ${job.policyHash}`;
  must(!passed || job.decision !== 'REQUIRE_HUMAN' || job.approval === word, `approved is '${job.approval}'`);
  must(!passed || job.approval === '' || job.approval === word, `approved is still '${job.approval}'`);

  const states = job.path.map((line) => line.slice(line.indexOf('|') + 1));
  must(states.at(-1) === job.state, `path ends in ${states.at(-1)}`);
  let before: JobState | 'none' = 'none';
  for (const state of states) {
    if (!isState(state) || !mayGo(before, state)) wrong.push(`path goes from ${before} to ${state}`);
    else before = state;
  }
  const told = index.told.get(`${job.tenant} ${job.id}`) ?? [];
  must(
    told.map((event) => event.state).join() === states.join(),
    `path ${states.join()}, told ${told.map((e) => e.state).join()}`,
  );
  must(told.at(-1)?.fence === job.fence, `told with fence ${told.at(-1)?.fence}, is ${job.fence}`);
  must(
    told.every(({ fence }, i) => i === 0 || Number(fence) >= Number(told[i - 1]?.fence)),
    `fences ${told.map((e) => e.fence).join()}`,
  );

  must(index.listed.has(`${job.tenant} ${job.id}`), "not in its tenant's list");
  // Another tenant's jobs under the same trace are kept apart.
  const traced = [job.traceId, `${job.traceId}:${job.tenant}`].some(
    (t) => books.traces.get(t)?.includes(job.id) === true,
  );
  must(job.traceId === '' || traced, 'not in its trace');
  must(index.recent.has(job.id) || books.recent.length >= 1000, 'not among the recent');
  return wrong;
}

/** What is looked up for every job. */
interface Index {
  readonly told: ReadonlyMap<string, readonly BookedEvent[]>;
  readonly listed: ReadonlySet<string>;
  readonly recent: ReadonlySet<string>;
}

function indexOf(books: Books): Index {
  const told = new Map<string, BookedEvent[]>();
  for (const [tenant, events] of books.streams) {
    for (const event of events) {
      const key = `${tenant} ${event.job}`;
      const list = told.get(key);
      if (list === undefined) told.set(key, [event]);
      else list.push(event);
    }
  }
  const listed = new Set<string>();
  for (const [tenant, ids] of books.tenants) for (const id of ids) listed.add(`${tenant} ${id}`);
  return { told, listed, recent: new Set(books.recent) };
}

/** The time at which somebody must look at a job at the latest. */
function latest(job: BookedJob, slot: number | undefined, now: number): number {
  if (isEnd(job.state)) return job.endedAt + announceMs;
  const until = (at: number): number => Math.min(at, job.deadlineAt);
  switch (job.state) {
    case 'SCHEDULED':
      return job.queued ? job.deadlineAt : until(job.notBefore);
    case 'DISPATCHED':
      return until(slot ?? now);
    case 'RUNNING':
      return until(Math.min(slot ?? now, job.runDeadlineAt));
    default:
      return job.deadlineAt;
  }
}

function collections(books: Books, { now, capacity }: AuditContext): string[] {
  const wrong: string[] = [];
  for (const id of books.due.keys()) if (!books.jobs.has(id)) wrong.push(`${id} is due and has no record`);
  for (const [tenant, ids] of books.tenants) {
    for (const id of ids) {
      const owner = books.jobs.get(id)?.tenant;
      if (owner !== undefined && owner !== tenant) wrong.push(`${id} of ${owner} is in the list of ${tenant}`);
    }
  }
  for (const [worker, slots] of books.slots) {
    let used = 0;
    for (const [id, until] of slots) {
      if (until > now) used++;
      const job = books.jobs.get(id);
      if (job === undefined) continue;
      const running = job.state === 'DISPATCHED' || job.state === 'RUNNING';
      const stopping = isEnd(job.state) && job.stoppedAt === 0;
      if (job.worker !== worker || !(running || stopping))
        wrong.push(`${id} (${job.state}, ${job.worker}) in a slot of ${worker}`);
    }
    const most = capacity.get(worker);
    if (most !== undefined && used > most) wrong.push(`${worker} holds ${used} jobs and has ${most} slots`);
  }
  return wrong;
}

/** The ready queues, built again from the records. */
function ready(books: Books): string[] {
  const queues = new Map<string, string[]>();
  const rings = new Map<string, Set<string>>();
  const depths = new Map<string, number>();
  for (const { id, queued, pool, lane, rank, tenant } of books.jobs.values()) {
    if (!queued) continue;
    const ring = `${pool} ${lane} ${rank}`;
    const queue = queues.get(`${ring} ${tenant}`);
    if (queue === undefined) queues.set(`${ring} ${tenant}`, [id]);
    else queue.push(id);
    rings.set(ring, (rings.get(ring) ?? new Set()).add(tenant));
    depths.set(`${pool} ${lane}`, (depths.get(`${pool} ${lane}`) ?? 0) + 1);
  }
  const shown = (of: ReadonlyMap<string, Iterable<string>>): string =>
    sorted(Array.from(of, ([at, members]) => `${at}: ${sorted(members)}`));
  const wrong: string[] = [];
  if (shown(queues) !== shown(books.queues))
    wrong.push(`queues ${shown(books.queues)}, by the records ${shown(queues)}`);
  if (shown(rings) !== shown(books.rings)) wrong.push(`rings ${shown(books.rings)}, by the records ${shown(rings)}`);
  const counted = (of: ReadonlyMap<string, number>): string => sorted(Array.from(of, ([at, n]) => `${at}: ${n}`));
  if (counted(depths) !== counted(books.depths))
    wrong.push(`depths ${counted(books.depths)}, by the records ${counted(depths)}`);
  return wrong;
}

const sorted = (texts: Iterable<string>): string =>
  JSON.stringify(Array.from(texts).toSorted((a, b) => (a < b ? -1 : 1)));

function streams(books: Books): string[] {
  const wrong: string[] = [];
  for (const [tenant, events] of books.streams) {
    for (const [i, { id, prev }] of events.entries()) {
      if (prev !== (events[i - 1]?.id ?? '') && i > 0) wrong.push(`ev:${tenant} breaks at ${id}: after ${prev}`);
    }
  }
  return wrong;
}
