// Each metric of the worker comes from one kind of event.
import { expect, test } from 'vitest';
import { createEvents } from '#core/events.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { countEvents } from '../../../services/worker/counts.ts';
import type { HostEvent } from '../../../services/worker/events.ts';

test('events become metrics with their labels', async () => {
  const events = createEvents<HostEvent>();
  const metrics = createPromMetrics({ nodeMetrics: false });
  const stop = countEvents(events, metrics);
  const about = { worker: 'w0', topic: 'job.test', job: 'j', fence: '1' };
  events.emit({ type: 'accepted', ...about, pool: 'test', attempt: 1, waitedMs: 250 });
  events.emit({ type: 'settled', ...about, execMs: 1500 });
  events.emit({ type: 'committed', ...about, status: 'TIMEOUT', outcome: 'committed', state: 'TIMEOUT', execMs: 1500 });
  events.emit({ type: 'stale', ...about, step: 'accept', reason: 'lost' });
  events.emit({ type: 'stale', ...about, step: 'commit', reason: 'cancelled' });
  events.emit({ type: 'stale', ...about, step: 'output', reason: undefined });
  events.emit({ type: 'aborted', ...about, cause: 'lease' });
  events.emit({ type: 'unresponsive', ...about, sinceMs: 10_000 });
  events.emit({ type: 'slots', worker: 'w0', topic: 'job.test', active: 3, parallel: 4 });
  const usage = { inputTokens: 11, outputTokens: 7 };
  events.emit({ type: 'asked', ...about, model: 'fast', outcome: 'answered', usage });
  events.emit({ type: 'asked', ...about, model: 'fast', outcome: 'cut', usage: undefined });
  events.emit({ type: 'renewal_failed', error: new Error('away') });
  stop();
  events.emit({ type: 'unresponsive', ...about, sinceMs: 10_000 });
  const lines = (await metrics.read()).split('\n').filter((line) => !line.startsWith('#'));
  expect(lines).toEqual(
    expect.arrayContaining([
      'cortex_scheduler_dispatch_latency_seconds_sum{pool="test"} 0.25',
      'cortex_worker_job_seconds_sum{topic="job.test"} 1.5',
      'cortex_worker_jobs_total{topic="job.test",status="JOB_STATUS_TIMEOUT"} 1',
      'cortex_fence_rejections_total{operation="accept"} 1',
      'cortex_fence_rejections_total{operation="commit"} 1',
      'cortex_fence_rejections_total{operation="output"} 1',
      'cortex_worker_aborts_total{topic="job.test",cause="lease"} 1',
      'cortex_worker_unresponsive_total{topic="job.test"} 1',
      'cortex_worker_active_jobs{topic="job.test"} 3',
      'cortex_worker_renewals_failed_total 1',
      'cortex_worker_model_requests_total{model="fast",outcome="answered"} 1',
      'cortex_worker_model_requests_total{model="fast",outcome="cut"} 1',
      'cortex_worker_model_tokens_total{model="fast",kind="input"} 11',
      'cortex_worker_model_tokens_total{model="fast",kind="output"} 7',
    ]),
  );
});
