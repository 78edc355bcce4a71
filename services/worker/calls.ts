// The store's calls of the worker's side, one item at a time for the caller, gathered per turn of the event loop into one call.
// Gathered by bytes as well: results may be large, Redis does nothing else while it takes a call in, and a call that takes longer
// than a call may take fails for all that were gathered in it.
import { coalesce } from '#core/coalesce.ts';
import type {
  Accept,
  Accepted,
  Commit,
  Committed,
  JobStore,
  Metered,
  Output,
  OutputAnswer,
  Progress,
  Requeue,
  Requeued,
  Stopped,
} from '#core/jobs/store.ts';

/** How long one of these calls, or an artifact, may take on its connection, ms: what is large needs time, and the leases last meanwhile. */
export const callTimeoutMs = 10_000;

/** Results in one commit, or texts in one call, bytes; a single larger one goes alone. */
export const maxCommitBytes = 2 ** 20;

export interface StoreCalls {
  /** Asked again by itself when other payloads filled the answer. */
  accept(item: Accept): Promise<Exclude<Accepted, { outcome: 'again' }>>;
  commit(item: Commit): Promise<Committed>;
  progress(item: Progress): Promise<'ok' | 'stale' | 'missing'>;
  output(item: Output): Promise<OutputAnswer>;
  stopped(item: Stopped): Promise<void>;
  meter(item: Metered): Promise<void>;
  requeue(item: Requeue): Promise<Requeued>;
}

/** One set per process, so that all its workers share the calls. */
export function gatherCalls(store: JobStore): StoreCalls {
  const accept = coalesce((items: Accept[]) => store.accept(items));
  return {
    async accept(item) {
      for (;;) {
        const answer = await accept(item);
        if (answer.outcome !== 'again') return answer;
      }
    },
    commit: coalesce((items) => store.commit(items), {
      size: (item) => item.result?.length ?? 0, // a character is up to three bytes, but mostly one
      maxBytes: maxCommitBytes,
    }),
    progress: coalesce((items) => store.progress(items)),
    output: coalesce((items) => store.output(items), { size: (item) => item.text.length, maxBytes: maxCommitBytes }),
    stopped: coalesce(async (items) => {
      await store.stopped(items);
      return items.map(() => undefined);
    }),
    meter: coalesce(async (items) => {
      await store.meter(items);
      return items.map(() => undefined);
    }),
    requeue: coalesce((items) => store.requeue(items)),
  };
}
