// The workflows that the orchestrator runs, by the short names that stand in the ids of its workers.
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import { repoReview } from './repo-review.ts';

export const workflows: Readonly<Record<string, WorkflowDefinition>> = { 'repo-orchestrator': repoReview };
