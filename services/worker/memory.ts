// Which memory a job speaks with, by its request: the original's fields in env.
import { memoryNameProblem } from '#core/context/memory/names.ts';
import { invalid } from '#core/errors.ts';
import type { ContextMode } from '#core/context/engine.ts';
import type { Models } from '#core/model/serve.ts';
import type { AttemptJob } from './define.ts';

export interface JobMemory {
  readonly memory: string;
  readonly mode: ContextMode;
}

/**
 * `fallback`: the mode of a job that names none. undefined: the job remembers nothing and is told nothing, because it says `raw`, names no
 * memory, or has the one that the gateway gives to a job which names none: nobody has spoken there before.
 */
export function memoryOf(
  { id, request }: Pick<AttemptJob, 'id' | 'request'>,
  fallback: ContextMode,
): JobMemory | undefined {
  const memory = request.env['memory_id'] || request.memoryId;
  const wrong = memoryNameProblem(memory, 'env.memory_id');
  if (wrong !== undefined) throw wrong;
  const said = request.env['context_mode'] ?? '';
  const mode = said === '' ? fallback : modeOf(said);
  if (memory === '' || mode === 'raw') return undefined;
  const { parentJobId, workflowId } = request;
  const given = [id, parentJobId, workflowId].map((one) => `session:${one}`);
  return said === '' && given.includes(memory) ? undefined : { memory, mode };
}

function modeOf(text: string): ContextMode {
  const mode = (['raw', 'chat', 'rag'] as const).find((one) => one === text.toLowerCase());
  if (mode === undefined) throw invalid('env.context_mode', 'must be raw, chat or rag');
  return mode;
}

/** Tokens of the window that a job may have: 8,000 where it does not say, and what the models have room for. */
export function maxInputTokensOf(
  job: Pick<AttemptJob, 'request'>,
  models: Pick<Models, 'promptTokens'> | undefined,
): number {
  return Math.min(askedFor(job), Math.max(1, models?.promptTokens ?? Number.POSITIVE_INFINITY));
}

function askedFor({ request }: Pick<AttemptJob, 'request'>): number {
  const text = request.env['max_input_tokens'] ?? '';
  if (text === '') return defaultInputTokens;
  const tokens = Number(text);
  if (!/^\d{1,10}$/.test(text) || tokens > 2 ** 31 - 1)
    throw invalid('env.max_input_tokens', 'must be a whole number of tokens');
  return tokens === 0 ? defaultInputTokens : tokens;
}

const defaultInputTokens = 8_000;
