// The workflows that the orchestrator runs, by the short names that stand in the ids of its workers; of each its versions, the newest first.
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import { demo } from './demo.ts';
import { repoReview } from './repo-review.ts';

export interface WorkflowSettings {
  readonly usePlanner: boolean;
  readonly plannerTopic: string;
}

export function workflows(settings: WorkflowSettings): Readonly<Record<string, readonly WorkflowDefinition[]>> {
  return { orchestrator: demo(settings), 'repo-orchestrator': [repoReview] };
}
