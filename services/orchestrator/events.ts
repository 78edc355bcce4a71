// What the orchestrator tells about its runs as it happens: tests wait for these, metrics are made from them.
import type { JobState } from '#core/jobs/state.ts';

interface StepFacts {
  /** The run: the parent's id. */
  readonly job: string;
  readonly key: string;
  readonly child: string;
}

export type OrchestratorEvent =
  /** Taken up here; `replay`: it had been begun before, perhaps elsewhere. */
  | { readonly type: 'run_begun'; readonly job: string; readonly workflow: string; readonly replay: boolean }
  | (StepFacts & { readonly type: 'step_begun' })
  /** The child was there already. */
  | (StepFacts & { readonly type: 'step_found' })
  | (StepFacts & { readonly type: 'step_ended'; readonly state: JobState })
  | {
      readonly type: 'run_over';
      readonly job: string;
      readonly workflow: string;
      /** `left`: somebody else goes on with it. */
      readonly how: 'completed' | 'failed' | 'cancelled' | 'left';
      /** Since the run was begun first, wherever that was, ms. */
      readonly tookMs: number;
    };
