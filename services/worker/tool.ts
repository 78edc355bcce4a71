// A program that a handler runs, as an exchange of the recording: a replay, which may start none, hears what it answered then.
import type { ToolRequest } from '#core/model/recording.ts';
import type { JobContext } from './define.ts';

/** What the tool answers. `use` says all that the answer depends on: it is what a replay compares. Throws as `run` does. */
export async function useTool(
  { recorder, recordedTool }: Pick<JobContext, 'recorder' | 'recordedTool'>,
  use: ToolRequest,
  run: () => Promise<string>,
): Promise<string> {
  if (recordedTool !== undefined) return recordedTool(use);
  const exchange = recorder?.exchange(use);
  try {
    const text = await run();
    exchange?.part({ type: 'text', text }, undefined);
    return text;
  } catch (error) {
    exchange?.failed(error);
    throw error;
  }
}
