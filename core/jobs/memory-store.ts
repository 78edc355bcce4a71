// The job store in memory: the twin of the Redis store, for tests of whatever uses a store, with a clock that they step. It passes the
// same contract; it is one process's own and forgets everything with it.
import { checkApproval } from './approval.ts';
import type { JobEvent } from './job.ts';
import { approveJob } from './memory-approvals.ts';
import {
  acceptJobs,
  commitForeignResult,
  commitJob,
  keepArtifact,
  noteForeignProgress,
  noteProgress,
  noteStopped,
} from './memory-attempts.ts';
import { endJob, noteAnnounced, requeueJob, takeDue } from './memory-lifecycle.ts';
import {
  ownRecord,
  readEvents,
  readJob,
  readPage,
  readRecording,
  readStanding,
  readTrace,
  viewOf,
} from './memory-reads.ts';
import { keepOutput, readOutput } from './memory-output.ts';
import { createMemory, type Memory, type MemoryStoreOptions } from './memory-state.ts';
import { createJob, gateJob } from './memory-submission.ts';
import { claimJobs, registerWorker, renewJobs, unregisterWorker } from './memory-workers.ts';
import { meterRequest, readUsage } from './memory-usage.ts';
import { checkGate } from './checks.ts';
import { checkMetered } from './usage.ts';
import type { JobStore } from './store.ts';

export type { Memory, MemoryStoreOptions } from './memory-state.ts';

export interface MemoryStore extends JobStore {
  /** What it holds: for auditors, and for tests that play a client or a worker which speaks the bus alone and writes keys itself. */
  readonly memory: Memory;
}

/** An empty store. Every operation takes its step at once; the promise is only the port's shape. */
export function createMemoryStore(options: MemoryStoreOptions): MemoryStore {
  const memory = createMemory(options);
  const report = (): void => {
    const steps: readonly JobEvent[] = memory.steps;
    if (steps.length === 0) return;
    memory.steps = [];
    options.onEvents?.(steps);
  };
  const step = async <T>(take: () => T): Promise<T> => {
    const answer = take();
    report();
    return Promise.resolve(answer);
  };
  const each =
    <I, O>(take: (memory: Memory, item: I) => O) =>
    (items: readonly I[]): Promise<readonly O[]> =>
      step(() => items.map((item) => take(memory, item)));

  return {
    memory,
    create: each(createJob),
    gate: (items) =>
      step(() => {
        for (const item of items) checkGate(item);
        return items.map((item) => gateJob(memory, item));
      }),
    approve: (items) =>
      step(() => {
        for (const item of items) checkApproval(item);
        return items.map((item) => approveJob(memory, item));
      }),
    claim: each(claimJobs),
    accept: (items) => step(() => acceptJobs(memory, items)),
    renew: each(renewJobs),
    commit: each(commitJob),
    commitForeign: each(commitForeignResult),
    progress: each(noteProgress),
    progressForeign: each(noteForeignProgress),
    output: each(keepOutput),
    artifact: (item) => step(() => keepArtifact(memory, item)),
    stopped: (items) => step(() => items.forEach((item) => noteStopped(memory, item))),
    end: each(endJob),
    requeue: each(requeueJob),
    due: (limit, pushMs) => step(() => takeDue(memory, limit, pushMs)),
    announced: each((_, { id }: { readonly id: string }) => noteAnnounced(memory, id)),
    register: (item) => step(() => registerWorker(memory, item)),
    unregister: (worker, instance) => step(() => unregisterWorker(memory, worker, instance)),
    depths: () => step(() => memory.queue.depths()),
    view: (id, tenant) =>
      step(() => {
        const record = ownRecord(memory, id, tenant);
        return record && viewOf(record);
      }),
    look: each(readJob),
    page: (query) => step(() => readPage(memory, query)),
    trace: (traceId, tenant) => step(() => readTrace(memory, traceId, tenant)),
    transitions: (id, tenant) => step(() => ownRecord(memory, id, tenant)?.path.slice()),
    recording: (id, tenant) => step(() => readRecording(memory, id, tenant)),
    result: (id, tenant) => step(() => readJob(memory, { id, tenant })?.result),
    readOutput: (query) => step(() => readOutput(memory, query)),
    events: (tenant, after, limit) => step(() => readEvents(memory, tenant, after, limit)),
    meter: (items) =>
      step(() => {
        for (const item of items) checkMetered(item);
        for (const item of items) meterRequest(memory, item);
      }),
    usage: (tenant, days) => step(() => readUsage(memory, tenant, days)),
    standing: (tenant, jobs) => step(() => readStanding(memory, tenant, jobs)),
  };
}
