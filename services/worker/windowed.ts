// The window of a job from the context engine, as an exchange of its recording: a replay sees what the job saw.
import type { Engine, GivenWindow, WantedWindow } from '#core/context/engine.ts';
import type { WindowSummary } from '#core/protocol/payloads.ts';
import type { JobContext } from './define.ts';
import type { JobMemory } from './memory.ts';
import { useTool } from './tool.ts';

export interface CountedWindow extends GivenWindow {
  /** The model by which its tokens were counted. */
  readonly countedFor: string;
}

export type Wanted = Omit<WantedWindow, 'tenant' | 'memory' | 'mode'>;

/** Throws as the engine does. */
export async function windowOf(
  engine: Engine,
  { memory, mode }: JobMemory,
  wanted: Wanted,
  context: JobContext,
): Promise<CountedWindow> {
  const whole: WantedWindow = { ...wanted, tenant: context.job.tenant, memory, mode };
  // How tokens are counted, and how many the models have room for, is the worker's business and no part of what a replay compares.
  const { model: _, maxInputTokens: __, ...said } = whole;
  const use = { tool: 'context window', input: said };
  const text = await useTool(context, use, async () =>
    JSON.stringify({
      ...(await engine.window(whole, context.signal)),
      countedFor: wanted.model,
    } satisfies CountedWindow),
  );
  return JSON.parse(text) as CountedWindow;
}

/** Sources that a result tells. */
const mostSources = 50;

/** What a result says of the window that its answer came from. */
export function summaryOf({ memory, mode }: JobMemory, history: number, window: CountedWindow): WindowSummary {
  const { inputTokens, limit, estimated, sources, next, repository, commit, epoch, countedFor } = window;
  return {
    ...{ memory_id: memory, mode, messages: window.messages.length },
    ...{ input_tokens: inputTokens, limit, estimated, counted_for: countedFor, before: next, epoch, history },
    ...(repository !== '' && { repository, commit }),
    sources: sources.slice(0, mostSources).map(({ source, lines, score, reason, tokens }) => {
      return {
        source,
        ...(lines !== undefined && { lines }),
        score: Math.round(score * 1_000) / 1_000,
        reason,
        tokens,
      };
    }),
  };
}
