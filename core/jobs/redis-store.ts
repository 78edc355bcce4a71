// The job store on Redis: one Lua script per operation (scripts/), through the Redis port. It knows the order of arguments; the rules
// are in state.ts and the scripts, partitions in redis-calls.ts, workers in redis-workers.ts, reading in redis-reads.ts.
import { toBase64 } from '#core/base64.ts';
import { type Arg, int, list, type Reply, script, text } from '#core/redis/redis.ts';
import { checkArtifactName, checkGate, short, stopReason } from './checks.ts';
import { formatPolicy, type NewJob } from './job.ts';
import { approvals } from './redis-approvals.ts';
import { createCalls, type RedisStoreOptions } from './redis-calls.ts';
import { outputs } from './redis-output.ts';
import { limitsOf, rememberText } from './redis-log.ts';
import { reads } from './redis-reads.ts';
import { dueOf, endAt, endOf, maybeState, stateOf, stopReasonOf } from './redis-record.ts';
import { fits, stagePayload, unstaged } from './redis-staging.ts';
import { usageCalls } from './redis-usage.ts';
import { workerCalls } from './redis-workers.ts';
import * as attempt from './scripts/attempt.ts';
import { commit as commitScript, commitForeign as foreignScript } from './scripts/commit.ts';
import { create as createScript } from './scripts/create.ts';
import { gate as gateScript } from './scripts/gate.ts';
import * as lifecycle from './scripts/lifecycle.ts';
import { view } from './scripts/read.ts';
import { isEnd } from './state.ts';
import type { Accepted, Announced, Committed, Created, DueJob, Ended, Gated, JobStore, Requeued } from './store.ts';
import { defaultDeadlineMs, digestOf } from './submission.ts';

export type { RedisStoreOptions } from './redis-calls.ts';

/** Ids that `job:recent` keeps. */
const recentJobs = 1000;

// KEYS[1]: where:<id>. ARGV: partition, ms. Whose partition an id from outside is in: the first to say so.
const whereScript = script(
  'where',
  /* lua */ `if redis.call('SET',KEYS[1],ARGV[1],'NX','PX',ARGV[2]) then return ARGV[1] end return redis.call('GET',KEYS[1])`,
);
// KEYS[1]: where:<id>. ARGV: ms. An id may be used anew when the record of its first job is gone; the note lives as long as the last one.
const noteScript = script('note', /* lua */ `return redis.call('PEXPIRE',KEYS[1],ARGV[1])`);

const progressText = (p: { readonly percent: number; readonly message: string }): string =>
  `${Math.round(p.percent)}|${short(p.message, 50)}`;
const notedOf = (reply: Reply) => (reply === 'ok' ? 'ok' : reply === 'stale' ? 'stale' : 'missing');

const committedOf = (reply: Reply): Committed => {
  const row = list(reply);
  const outcome = text(row[0]) as Committed['outcome'];
  const state = maybeState(row[1]);
  return { outcome, state, end: endOf(row[2]), reason: outcome === 'stale' ? stopReason(state) : undefined };
};

/** The store on Redis. Throws what the driver throws (`unavailable`), and `data_loss` for a record that no script of ours wrote. */
export function createRedisStore(options: RedisStoreOptions): JobStore {
  const calls = createCalls(options);
  const { redis, keys, run, each, byTenant, partitionOf } = calls;
  const horizonMs = calls.metaTtlMs + defaultDeadlineMs;
  const limits = limitsOf(options.memoryLimits);

  const packNew = (j: NewJob, args: Arg[], staged?: string): void => {
    const came = j.payload === undefined ? (j.payloadExpected === true ? 2 : 0) : staged === undefined ? 1 : 3;
    args.push(j.id, j.tenant, j.topic, j.traceId, j.principal, j.parentId, j.rank, j.digest, toBase64(j.packet), came);
    args.push(staged ?? j.payload ?? '', j.deadlineMs);
    args.push(j.idempotency === undefined ? '' : digestOf(j.idempotency.key), j.idempotency?.digest ?? '');
    args.push(j.bound === undefined ? '' : `${j.bound.fence} ${j.bound.attempt}`);
  };

  /** The jobs whose payload a request has no room for, each with the name under which it was written now. */
  const stageLarge = async (jobs: readonly NewJob[]): Promise<ReadonlyMap<NewJob, string>> => {
    const staged = new Map<NewJob, string>();
    if (redis.maxRequestBytes === undefined) return staged;
    for (const job of jobs) {
      const args: Arg[] = [];
      packNew(job, args);
      if (job.payload === undefined || staged.has(job) || fits(calls, args)) continue;
      staged.set(job, await stagePayload(calls, keys.ofTenant(job.tenant), job.payload));
    }
    return staged;
  };

  const createHere = async (jobs: readonly NewJob[]): Promise<Created[]> => {
    const staged = await stageLarge(jobs);
    return each(
      createScript,
      jobs,
      byTenant,
      (job, args) => packNew(job, args, staged.get(job)),
      (reply): Created => {
        const row = list(reply);
        const outcome = text(row[0]) as Created['outcome'] | 'unstaged';
        if (outcome === 'unstaged') throw unstaged();
        if (outcome === 'conflict' || outcome === 'orphan') return { outcome };
        if (outcome === 'idempotency_conflict') return { outcome, id: text(row[1]) };
        if (outcome === 'payload_missing') return { outcome, id: text(row[1]), end: endAt(row[4]) };
        return { outcome, id: text(row[1]), traceId: text(row[2]), state: stateOf(row[3]) };
      },
      [horizonMs, recentJobs],
    );
  };

  /** Whether the id is free for the tenant's partition: only ids from outside on a cluster have to ask. */
  const belongs = async (job: NewJob): Promise<boolean> => {
    const p = keys.ofTenant(job.tenant);
    const named = keys.ofId(job.id);
    if (named === p) {
      // Somebody may have brought it from outside before, in another partition.
      const noted = await redis.get(keys.where(job.id));
      return noted === null || noted === String(p);
    }
    // It may have been minted for the partition that it names; then nobody noted where it is.
    if (named !== undefined && named < keys.partitions && (await run(view, named, [job.id, '', 1])) !== null)
      return false;
    return text(await redis.run(whereScript, [keys.where(job.id)], [p, horizonMs])) === String(p);
  };

  const requeue: JobStore['requeue'] = (items) =>
    each(
      lifecycle.requeue,
      items,
      byTenant,
      (r, args) => args.push(r.id, r.seen.state, r.seen.fence, r.why, r.delayMs),
      (reply): Requeued => {
        const row = list(reply);
        return { outcome: text(row[0]) as Requeued['outcome'], end: endOf(row[1]) };
      },
    );

  return {
    ...reads(calls),
    ...approvals(calls),
    ...outputs(calls),
    ...workerCalls(calls, requeue),
    ...usageCalls(calls, options.usageTtlMs),
    requeue,

    async create(jobs) {
      if (keys.partitions === 1) return createHere(jobs);
      const free = await Promise.all(jobs.map(belongs));
      const mine = jobs.filter((_, i) => free[i] === true);
      const created = await createHere(mine);
      const made = mine.filter((_, i) => created[i]?.outcome === 'created');
      const outside = made.filter((job) => keys.ofId(job.id) !== keys.ofTenant(job.tenant));
      await Promise.all(outside.map(({ id }) => redis.run(noteScript, [keys.where(id)], [horizonMs])));
      const answers = created.values();
      return free.map((yes): Created => (yes ? (answers.next().value as Created) : { outcome: 'conflict' }));
    },

    async gate(items) {
      for (const item of items) checkGate(item);
      return each(
        gateScript,
        items,
        byTenant,
        (g, args) => {
          const policy = g.policy === undefined ? '' : formatPolicy(g.policy);
          args.push(g.id, g.digest, g.to, g.decision, short(g.reason), g.rule, policy, g.constraints, g.pool, g.lane);
          args.push(g.timeoutMs, g.maxRetries, g.holdMs, g.errorCode, short(g.errorMessage), g.cost ?? 1);
          args.push(g.redactedKey ?? '');
        },
        (reply): Gated => {
          const row = list(reply);
          const outcome = text(row[0]) as Gated['outcome'];
          return { outcome, state: maybeState(row[1]), first: row[3] === 1, end: endOf(row[2]) };
        },
      );
    },

    accept: (items) =>
      each(
        attempt.accept,
        items,
        byTenant,
        (a, args) => args.push(a.id, a.fence, a.attempt, a.worker, a.instance, a.leaseMs),
        (reply): Accepted => {
          const row = list(reply);
          if (row[0] === 'again') return { outcome: 'again' };
          if (row[0] !== 'run') return { outcome: 'stale', reason: stopReasonOf(row[1]) };
          const payload = typeof row[1] === 'string' ? row[1] : null;
          const [attempts, waitedMs, remainingMs] = [int(row[2]), int(row[3]), int(row[4])];
          return { outcome: 'run', payload, attempts, waitedMs, remainingMs };
        },
      ),

    commit: (items) =>
      each(
        commitScript,
        items,
        byTenant,
        (c, args) => {
          args.push(c.id, c.fence, c.attempt, c.status, c.retryable ? 1 : 0, c.backoffMs);
          args.push(
            c.result === undefined ? 0 : 1,
            c.result ?? '',
            Math.round(c.execMs),
            `${c.errorCode}|${short(c.errorMessage)}`,
            c.remember === undefined ? '' : rememberText(c.remember, limits),
          );
        },
        committedOf,
      ),

    commitForeign: (items) =>
      each(
        foreignScript,
        items,
        (f) => partitionOf(f.id),
        (f, args) => {
          const artifacts = f.artifactKeys.filter((key) => !key.includes(' ')).slice(0, 20);
          args.push(f.id, f.status, f.resultKey, artifacts.join(' '), f.workerName, Math.round(f.execMs));
          args.push(f.errorCode, short(f.errorMessage), f.policy.sequence, f.policy.hash);
        },
        committedOf,
      ),

    progress: (items) =>
      each(
        attempt.progress,
        items,
        byTenant,
        (p, args) => args.push(p.id, p.fence, p.attempt, progressText(p)),
        notedOf,
      ),

    progressForeign: (items) =>
      each(
        attempt.progressForeign,
        items,
        (p) => partitionOf(p.id),
        (p, args) => args.push(p.id, progressText(p)),
        notedOf,
      ),

    async artifact(item) {
      checkArtifactName(item.name);
      const args = [item.id, item.fence, item.attempt, item.name, item.bytes];
      const [key] = list(await calls.runBytes(attempt.artifact, keys.ofTenant(item.tenant), args));
      return typeof key === 'string' ? key : undefined;
    },

    async stopped(items) {
      await each(
        attempt.stopped,
        items,
        byTenant,
        (s, args) => args.push(s.id, s.fence, s.attempt, s.worker),
        () => undefined,
      );
    },

    end: (items) =>
      each(
        lifecycle.end,
        items,
        (e) => partitionOf(e.id, e.tenant),
        (e, args) => {
          args.push(
            e.id,
            e.tenant ?? '',
            e.to,
            e.seen?.state ?? '',
            e.seen?.fence ?? '',
            e.errorCode,
            short(e.errorMessage),
          );
          args.push(e.tenant === undefined ? 1 : 0);
        },
        (reply): Ended => {
          const row = list(reply);
          const outcome = text(row[0]) as Ended['outcome'];
          return { outcome, state: maybeState(row[1]), end: endOf(row[2]), worker: text(row[3]), fence: text(row[4]) };
        },
      ),

    async due(limit, pushMs) {
      let now = 0;
      let more = false;
      const jobs: DueJob[] = [];
      for (let p = 0; p < keys.partitions; p++) {
        const row = list(await run(lifecycle.due, p, [limit, pushMs]));
        now = int(row[0]);
        more ||= row[1] === 1;
        for (const job of list(row[2])) jobs.push(dueOf(list(job)));
      }
      return { now, more, jobs };
    },

    announced: (items) =>
      each(
        lifecycle.announced,
        items,
        byTenant,
        (i, args) => args.push(i.id),
        (reply): Announced | undefined => {
          if (typeof reply !== 'object' || reply === null) return undefined;
          const state = stateOf(reply[0]);
          return isEnd(state) ? { state, topic: text(reply[1]) } : undefined;
        },
      ),
  };
}
