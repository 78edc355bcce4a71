// The twin of a model for tests: it plays turns that were written down for it, one a request, and keeps the requests.
import { abortable } from '#core/deadline.ts';
import { type Model, ModelError, type ModelPart, type ModelRequest, throwIfStopped } from './model.ts';

export interface Turn {
  /** Is waited for before the first part. */
  readonly hold?: Promise<void>;
  readonly parts: readonly ModelPart[];
  /** After the parts: fails with this, or gives the parts again and again. */
  readonly after?: Error | 'again';
}

export interface MemoryModel extends Model {
  readonly requests: readonly ModelRequest[];
  /** Requests that are being answered now. */
  readonly open: number;
  /** Written down for the requests to come. */
  play(...turns: readonly Turn[]): void;
}

/** A turn that says `text` and ends. */
export function says(text: string, model = 'memory', usage = { inputTokens: 3, outputTokens: 2 }): Turn {
  return {
    parts: [
      { type: 'text', text },
      { type: 'end', model, finish: 'stop', usage },
    ],
  };
}

/** A turn that fails before it says anything. */
export function fails(error: Error): Turn {
  return { parts: [], after: error };
}

export function createMemoryModel(name = 'memory'): MemoryModel {
  const turns: Turn[] = [];
  const requests: ModelRequest[] = [];
  let open = 0;
  return {
    name,
    requests,
    get open() {
      return open;
    },
    play: (...more) => void turns.push(...more),
    async *stream(request) {
      const { signal } = request;
      throwIfStopped(signal);
      requests.push(request);
      const turn = turns.shift();
      if (turn === undefined) throw new ModelError('failed_precondition', `nothing is written down for model ${name}`);
      open++;
      try {
        const { hold } = turn;
        if (hold !== undefined) await abortable(signal, () => hold);
        do {
          for (const part of turn.parts) {
            await Promise.resolve(); // as from a socket: never in the same turn
            throwIfStopped(signal);
            request.alive?.();
            yield part;
            if (part.type === 'end') return;
          }
        } while (turn.after === 'again');
        throw turn.after ?? new ModelError('unavailable', `the answer of model ${name} was cut off`);
      } finally {
        open--;
      }
    },
  };
}
