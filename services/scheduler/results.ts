// Results on the bus. From our own hosts they are news: the end is in the store already, a slot is free. From workers that speak the
// bus alone they are the result itself, and the store decides whether it counts.
import type { Delivery } from '#core/bus/bus.ts';
import { short } from '#core/jobs/checks.ts';
import { pseudoPrefix } from '#core/jobs/lane.ts';
import { type EndState, isEnd } from '#core/jobs/state.ts';
import type { Committed, ForeignResult } from '#core/jobs/store.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { parsePointer } from '#core/protocol/pointer.ts';
import { stateOfStatus } from '#core/protocol/status.ts';
import { headers } from '#core/protocol/subjects.ts';
import type { JobResult } from '#proto/cortex/agent/v1/job_pb.ts';
import type { Announcer } from './announcer.ts';
import { createBatches } from './batches.ts';
import type { SchedulerDeps } from './deps.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Kernel } from './kernel.ts';
import type { Troubles } from './troubles.ts';

export interface Results {
  /** Takes one message from `sys.job.result`. Never throws. */
  take(delivery: Delivery): void;
  /** Resolves when everything taken so far is done. */
  idle(): Promise<void>;
}

/** Bytes of results under way at most; what is beyond is not taken, and its job is handed out again. */
const mostBytes = 16 * 1024 * 1024;
/** Characters of a worker's name and of an error code, as ids have them; and of a key, which is an id and a name. */
const longestName = 128;
const longestKey = 256;

interface Word {
  readonly result: ForeignResult;
  /** As the packet has it, for the log. */
  readonly traceId: string;
  /** What the bus said, before the store had its say. */
  readonly status: EndState;
  readonly bytes: number;
}

export function createResults(
  deps: SchedulerDeps,
  kernel: Kernel,
  announcer: Announcer,
  dispatcher: Dispatcher,
  troubles: Troubles,
): Results {
  const { store, metrics, events, log } = deps;

  const settle = ({ result, status, traceId }: Word, { outcome, end }: Committed): void => {
    events.emit({ type: 'foreign_result', id: result.id, outcome });
    if (outcome === 'stale' || outcome === 'missing') {
      metrics.count('cortex_fence_rejections_total', { operation: 'foreign_result' });
      log.debug('a result from the bus does not count', { job_id: result.id, trace_id: traceId, outcome });
    }
    if (end === undefined) return;
    events.emit({ type: 'ended', end });
    dispatcher.freed(`${pseudoPrefix}${end.topic}`);
    // What the bus said and what counts may differ (a pointer to another's key): then the truth is told as well.
    if (end.state !== status) announcer.repeat(end);
    announcer.heard(end.id, end.tenant);
  };
  const commits = createBatches<Word>({
    max: 64,
    most: mostBytes,
    weigh: ({ bytes }) => bytes + 1024,
    async run(words) {
      const committed = await store.commitForeign(words.map(({ result }) => result));
      for (const [i, word] of words.entries()) {
        const answer = committed[i];
        if (answer !== undefined) settle(word, answer);
      }
    },
    onError(error, words) {
      troubles.failed('store', error);
      log.warn('could not take results from the bus; their jobs are handed out again', { jobs: words.length, error });
    },
  });
  const ignore = (id: string): void => events.emit({ type: 'foreign_result', id, outcome: 'ignored' });

  const foreign = (result: JobResult, traceId: string, bytes: number): void => {
    const status = stateOfStatus(result.status);
    const policy = kernel.lastPolicy();
    // A status on the way, or one that we do not know, ends nothing. Before the kernel's first word nothing can be compared.
    if (status === undefined || !isEnd(status) || policy === undefined) return ignore(result.jobId);
    const key = keyOf(result.resultPtr);
    const word: ForeignResult = {
      id: result.jobId,
      status: key === undefined ? 'FAILED' : status,
      resultKey: key ?? '',
      artifactKeys: result.artifactPtrs
        .flatMap((pointer) => keyOf(pointer) || [])
        .filter((k) => k.length <= longestKey),
      workerName: short(result.workerId, longestName),
      // More is not exact any more, and the end could not be told with it.
      execMs: Math.min(Math.max(0, Number(result.executionMs)), Number.MAX_SAFE_INTEGER),
      errorCode: key === undefined ? 'bad_result_ptr' : short(result.errorCode, longestName),
      errorMessage: key === undefined ? 'result_ptr: cannot be read' : result.errorMessage,
      policy,
    };
    if (!commits.push({ result: word, traceId, status, bytes })) ignore(result.jobId);
  };

  return {
    take(delivery) {
      const decoded = decodePacket(delivery.data);
      if (!decoded.ok || decoded.value.payload.case !== 'jobResult') {
        events.emit({ type: 'refused', reason: 'result', id: '' });
        return;
      }
      const { senderId: sender, payload, traceId } = decoded.value;
      const result = payload.value;
      const tenant = delivery.header(headers.tenant);
      // With the tenant's header it is news of ours: the end is stored. Whether it really is, `announced` asks the record.
      if (tenant === undefined) return foreign(result, traceId, delivery.data.length);
      announcer.heard(result.jobId, tenant);
      if (sender === result.workerId) dispatcher.freed(sender);
    },
    idle: () => commits.idle(),
  };
}

/** The key that a pointer names: empty for none, undefined for a pointer that cannot be read. */
function keyOf(pointer: string): string | undefined {
  if (pointer === '') return '';
  const key = parsePointer(pointer);
  return key.ok ? key.value : undefined;
}
