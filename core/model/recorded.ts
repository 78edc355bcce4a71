// Models and tools made of a recording: exchange n is answered as it was answered then, if it is asked for with the same words; anything else
// is a divergence, and from then on nothing is answered.
import { CortexError } from '#core/errors.ts';
import type { Models } from './serve.ts';
import { ModelError, throwIfStopped } from './model.ts';
import { type Difference, firstDifference, type RecordedExchange, type ToolRequest } from './recording.ts';

/** Where a run leaves its recording. */
export interface Divergence {
  /** From 1. */
  readonly exchange: number;
  /** `more`: the recording has no such exchange. `fewer`: it was not asked for. */
  readonly kind: 'request' | 'more' | 'fewer';
  /** With `request`: what is asked otherwise. */
  readonly difference: Difference | undefined;
}

export interface RecordedModels {
  readonly models: Models;
  /** What the tool answered then. */
  tool(use: ToolRequest): Promise<string>;
  /** The first one; once the run is over also that something was not asked for. */
  divergence(over: boolean): Divergence | undefined;
}

/** `name`: the model that answered then. */
export function recordedModels(name: string, exchanges: readonly RecordedExchange[]): RecordedModels {
  let next = 0;
  let diverged: Divergence | undefined;
  const costs = new Map<string, number>();
  for (const { parts } of exchanges) {
    for (const part of parts) {
      if (part.type === 'end' && part.usage !== undefined && part.cost !== undefined)
        costs.set(priced(part.model, part.usage), part.cost);
    }
  }

  const take = (request: unknown): RecordedExchange => {
    const recorded = exchanges[next++];
    if (diverged === undefined) {
      // As it would stand in a recording.
      const asked: unknown = JSON.parse(JSON.stringify(request));
      const difference = recorded && firstDifference(recorded.request, asked);
      if (recorded !== undefined && difference === undefined) return recorded;
      diverged = { exchange: next, kind: recorded === undefined ? 'more' : 'request', difference };
    }
    throw new ModelError('failed_precondition', `exchange ${next} is not the recorded one`);
  };

  return {
    models: {
      default: {
        name,
        async *stream({ signal, told: _, ...request }) {
          const { parts, error } = take(request);
          for (const part of parts) {
            await Promise.resolve(); // as from a socket: never in the same turn
            throwIfStopped(signal);
            if (part.type !== 'end') yield part;
            else {
              const { type, model, finish, usage } = part;
              yield { type, model, finish, usage };
              return;
            }
          }
          throw error === undefined
            ? new ModelError('unavailable', `exchange ${next} was read no further when it was recorded`)
            : new ModelError(error.code, error.message);
        },
      },
      concurrency: 1,
      cost: (model, usage) => costs.get(priced(model, usage)),
    },
    async tool(use) {
      const { parts, error } = take(use);
      const [part] = parts;
      if (part?.type === 'text') return Promise.resolve(part.text); // a later turn, as from a program
      if (error !== undefined) throw new CortexError(error.code, error.message);
      throw new CortexError('unavailable', `exchange ${next} had no end when it was recorded`);
    },
    divergence(over) {
      if (diverged !== undefined || !over || next >= exchanges.length) return diverged;
      return { exchange: next + 1, kind: 'fewer', difference: undefined };
    },
  };
}

function priced(model: string, { inputTokens, outputTokens }: { inputTokens: number; outputTokens: number }): string {
  return `${model} ${inputTokens} ${outputTokens}`;
}
