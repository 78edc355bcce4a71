// A bound on silence: a model that gives no sign of life for so long is given up, down to the socket. What it thinks and what it writes for a
// tool are such signs, too. Time that the reader takes does not count.
import type { Clock } from '#core/system.ts';
import { type Model, ModelError } from './model.ts';

export function withPatience(model: Model, clock: Clock, ms: number): Model {
  return {
    name: model.name,
    async *stream(request) {
      const late = new AbortController();
      const giveUp = (): void =>
        late.abort(
          new ModelError('deadline_exceeded', `model ${model.name} said nothing for ${Math.round(ms / 1_000)} s`),
        );
      let cancel = clock.after(ms, giveUp);
      const alive = (): void => {
        cancel();
        cancel = clock.after(ms, giveUp);
        request.alive?.();
      };
      try {
        const signal = AbortSignal.any([request.signal, late.signal]);
        for await (const part of model.stream({ ...request, signal, alive })) {
          cancel();
          yield part;
          cancel = clock.after(ms, giveUp);
        }
      } finally {
        cancel();
      }
    },
  };
}
