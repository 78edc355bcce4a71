// Workflows from a file that WORKFLOWS_PATH names.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EnvError } from '#core/process/env.ts';
import type { WorkflowDefinition } from '#core/workflow/definition.ts';

/**
 * The default export of a module in this checkout (`#core/...` is found from nowhere else): a list of workflows, of several versions of one the
 * newest first. Throws EnvError with one line.
 */
export async function loadWorkflows(
  path: string | undefined,
): Promise<Readonly<Record<string, readonly WorkflowDefinition[]>>> {
  if (path === undefined) return {};
  let found: unknown;
  try {
    ({ default: found } = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown });
  } catch (error) {
    throw new EnvError([
      `WORKFLOWS_PATH: ${path}: ${error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : 'cannot be read'}`,
    ]);
  }
  if (!Array.isArray(found) || found.length === 0 || !found.every(isWorkflow)) {
    throw new EnvError([
      `WORKFLOWS_PATH: ${path}: its default export is not a list of workflows, as defineWorkflow makes them`,
    ]);
  }
  return Object.fromEntries(Map.groupBy(found, ({ name }) => name.replaceAll('_', '-')));
}

function isWorkflow(value: unknown): value is WorkflowDefinition {
  const { name, version, topic, run } = (value ?? {}) as Partial<WorkflowDefinition>;
  return [name, version, topic].every((text) => typeof text === 'string') && typeof run === 'function';
}
