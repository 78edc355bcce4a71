// One model and those that stand in for it, in order. Another one is asked only while nothing has been read of the answer.
import type { Log } from '#core/log.ts';
import { mayFallBack, type Model } from './model.ts';

export function withFallbacks(model: Model, others: readonly Model[], log: Log): Model {
  const [next, ...rest] = others;
  if (next === undefined) return model;
  const instead = withFallbacks(next, rest, log);
  return {
    name: model.name,
    async *stream(request) {
      let said = false;
      try {
        for await (const part of model.stream(request)) {
          said = true;
          yield part;
        }
        return;
      } catch (error) {
        if (said || request.signal.aborted || !mayFallBack(error)) throw error;
        log.warn('a model failed and another is asked', { model: model.name, next: next.name, error });
      }
      yield* instead.stream(request);
    },
  };
}
