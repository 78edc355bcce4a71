// The orchestrator's metrics, made from its events.
import type { Events } from '#core/events.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { OrchestratorEvent } from './events.ts';

/** Counts until the answer is called. A run that is replayed was counted when it was begun, and is counted when it ends. */
export function countEvents(events: Events<OrchestratorEvent>, metrics: Metrics): () => void {
  return events.on((event) => {
    switch (event.type) {
      case 'run_begun':
        if (!event.replay) metrics.count('cortex_orchestrator_workflows_started_total', { workflow: event.workflow });
        break;
      case 'run_over': {
        const { workflow, how, tookMs } = event;
        if (how === 'left') break;
        // The original's two words: what was cancelled has not completed.
        const status = how === 'completed' ? 'completed' : 'failed';
        metrics.count('cortex_orchestrator_workflows_completed_total', { workflow, status });
        metrics.observe('cortex_orchestrator_workflow_duration_seconds', { workflow }, tookMs / 1000);
        break;
      }
      default:
    }
  });
}
