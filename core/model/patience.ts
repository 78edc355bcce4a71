// A bound on silence: a model that says nothing for so long is given up, down to the socket. Time that the reader takes does not count.
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
      try {
        const signal = AbortSignal.any([request.signal, late.signal]);
        for await (const part of model.stream({ ...request, signal })) {
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
