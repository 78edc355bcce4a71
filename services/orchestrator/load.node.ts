// Workflows from a file that WORKFLOWS_PATH names.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EnvError } from '#core/process/env.ts';
import { isTopic } from '#core/protocol/subjects.ts';
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import { workflowName } from '#core/workflow/run.ts';

type Named = Readonly<Record<string, readonly WorkflowDefinition[]>>;

/**
 * The default export of a module in this checkout (`#core/...` is found from nowhere else): a list of workflows, of several versions of one the
 * newest first. None may have a topic that is `taken`. Throws EnvError with one line.
 */
export async function loadWorkflows(path: string | undefined, taken: readonly string[]): Promise<Named> {
  if (path === undefined) return {};
  const wrong = (problem: string): EnvError => new EnvError([`WORKFLOWS_PATH: ${path}: ${problem}`]);
  let found: unknown;
  try {
    ({ default: found } = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown });
  } catch (error) {
    throw wrong(error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : 'cannot be read');
  }
  if (!Array.isArray(found) || found.length === 0 || !found.every(isWorkflow)) {
    throw wrong('its default export is not a list of workflows, as defineWorkflow makes them');
  }
  const ours = found.find(({ topic }) => taken.includes(topic));
  if (ours !== undefined) throw wrong(`${ours.topic} is the topic of a workflow that is here already`);
  const versions = new Set(found.map(({ topic, version }) => `${topic} ${version}`));
  if (versions.size < found.length) throw wrong('two workflows of one name have one version');
  return Object.fromEntries(Map.groupBy(found, ({ name }) => `own-${name.replaceAll('_', '-')}`));
}

function isWorkflow(value: unknown): value is WorkflowDefinition {
  const { name, version, topic = '', run } = (value ?? {}) as Partial<WorkflowDefinition>;
  return typeof version === 'string' && typeof run === 'function' && isTopic(topic) && workflowName(topic) === name;
}
