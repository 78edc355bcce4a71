// The host's metrics, made from its events.
import type { Events } from '#core/events.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { HostEvent } from './events.ts';

/** Counts until the answer is called. */
export function countEvents(events: Events<HostEvent>, metrics: Metrics): () => void {
  return events.on((event) => {
    switch (event.type) {
      case 'accepted':
        // The scheduler's by name, but only who accepts knows.
        metrics.observe('cortex_scheduler_dispatch_latency_seconds', { pool: event.pool }, event.waitedMs / 1000);
        break;
      case 'committed':
        metrics.count('cortex_worker_jobs_total', { topic: event.topic, status: `JOB_STATUS_${event.status}` });
        break;
      case 'asked': {
        const { model, outcome, usage } = event;
        metrics.count('cortex_worker_model_requests_total', { model, outcome });
        if (usage === undefined) break;
        metrics.count('cortex_worker_model_tokens_total', { model, kind: 'input' }, usage.inputTokens);
        metrics.count('cortex_worker_model_tokens_total', { model, kind: 'output' }, usage.outputTokens);
        break;
      }
      case 'settled':
        metrics.observe('cortex_worker_job_seconds', { topic: event.topic }, event.execMs / 1000);
        break;
      case 'slots':
        metrics.gauge('cortex_worker_active_jobs', { topic: event.topic }, event.active);
        break;
      case 'stale':
        metrics.count('cortex_fence_rejections_total', { operation: event.step });
        break;
      case 'aborted':
        metrics.count('cortex_worker_aborts_total', { topic: event.topic, cause: event.cause });
        break;
      case 'unresponsive':
        metrics.count('cortex_worker_unresponsive_total', { topic: event.topic });
        break;
      case 'renewal_failed':
        metrics.count('cortex_worker_renewals_failed_total', {});
        break;
      default:
    }
  });
}
