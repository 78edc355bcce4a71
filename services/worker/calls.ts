// The store's calls of the worker's side, one item at a time for the caller, gathered per turn of the event loop into one call.
import { coalesce } from '#core/coalesce.ts';
import type {
  Accept,
  Accepted,
  Commit,
  Committed,
  JobStore,
  Progress,
  Requeue,
  Requeued,
  Stopped,
} from '#core/jobs/store.ts';

export interface StoreCalls {
  accept(item: Accept): Promise<Accepted>;
  commit(item: Commit): Promise<Committed>;
  progress(item: Progress): Promise<'ok' | 'stale' | 'missing'>;
  stopped(item: Stopped): Promise<void>;
  requeue(item: Requeue): Promise<Requeued>;
}

/** One set per process, so that all its workers share the calls. */
export function gatherCalls(store: JobStore): StoreCalls {
  return {
    accept: coalesce((items) => store.accept(items)),
    commit: coalesce((items) => store.commit(items)),
    progress: coalesce((items) => store.progress(items)),
    stopped: coalesce(async (items) => {
      await store.stopped(items);
      return items.map(() => undefined);
    }),
    requeue: coalesce((items) => store.requeue(items)),
  };
}
