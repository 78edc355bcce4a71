// What the orchestrator's events come to in the metrics.
import { expect, test } from 'vitest';
import { createEvents } from '#core/events.ts';
import { countEvents } from '../../../services/orchestrator/counts.ts';
import type { OrchestratorEvent } from '../../../services/orchestrator/events.ts';
import { createCountedMetrics } from '../../helpers/counted-metrics.ts';

test('a run has completed or has failed, as the original had it; one that goes on elsewhere is not over', () => {
  const events = createEvents<OrchestratorEvent>();
  const metrics = createCountedMetrics();
  countEvents(events, metrics);
  for (const how of ['completed', 'failed', 'cancelled', 'left'] as const) {
    events.emit({ type: 'run_over', job: 'j', workflow: 'w', how, tookMs: 1_500 });
  }
  const ended = (status: string): number =>
    metrics.read(`cortex_orchestrator_workflows_completed_total{workflow="w",status="${status}"}`);
  expect([ended('completed'), ended('failed'), ended('cancelled')]).toEqual([1, 2, 0]);
  expect(metrics.read('cortex_orchestrator_workflow_duration_seconds_sum{workflow="w"}')).toBe(4.5);
});
