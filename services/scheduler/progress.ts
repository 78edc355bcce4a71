// Progress on the bus. Our own hosts have put theirs into the store by then; that of workers that speak the bus alone is noted here, for
// whoever looks at the job. Nothing rests on it: it is neither a result nor a sign of life.
import type { Delivery } from '#core/bus/bus.ts';
import type { ForeignProgress } from '#core/jobs/store.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { headers } from '#core/protocol/subjects.ts';
import { createBatches } from './batches.ts';
import type { SchedulerDeps } from './deps.ts';
import type { Troubles } from './troubles.ts';

export interface Progresses {
  /** Takes one message from `sys.job.progress`. Never throws. */
  take(delivery: Delivery): void;
  /** Resolves when everything taken so far is done. */
  idle(): Promise<void>;
}

/** How long a word waits for others, ms: of a worker that tells every step, the last one of these counts. */
const lingerMs = 100;
/** Characters that are kept until the store shortens them. */
const longestMessage = 500;

export function createProgresses({ store, clock, events }: SchedulerDeps, troubles: Troubles): Progresses {
  const batches = createBatches<ForeignProgress>({
    max: 256,
    most: 10_000,
    linger: { clock, ms: lingerMs },
    async run(items) {
      await store.progressForeign(Array.from(new Map(items.map((item) => [item.id, item])).values()));
    },
    onError: (error) => troubles.failed('store', error), // the next word brings more
  });
  return {
    take(delivery) {
      if (delivery.header(headers.recorded) !== undefined) return;
      const decoded = decodePacket(delivery.data);
      if (!decoded.ok || decoded.value.payload.case !== 'jobProgress') {
        events.emit({ type: 'refused', reason: 'progress', id: '' });
        return;
      }
      const { jobId: id, percent, message } = decoded.value.payload.value;
      batches.push({ id, percent: Math.min(Math.max(percent, 0), 100), message: message.slice(0, longestMessage) });
    },
    idle: () => batches.idle(),
  };
}
