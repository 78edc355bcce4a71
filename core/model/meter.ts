// Tells whoever asks of each request that went out to a model, once it is over: retries and fallbacks are requests of their own. Stands
// right around a driver, since a request that waited, or was refused before it was sent, is nobody's to pay.
import { usageOf } from './budget.ts';
import { type Model, type Sent, throwIfStopped, type Usage } from './model.ts';

export function withMeter(model: Model): Model {
  return {
    name: model.name,
    async *stream(request) {
      throwIfStopped(request.signal);
      let told = false;
      let taken = false;
      let said = false;
      const tell = (outcome: Sent['outcome'], usage?: Usage): void => {
        if (told) return;
        told = true;
        request.told?.({ model: model.name, outcome, usage });
      };
      const alive = (): void => {
        taken = true;
        request.alive?.();
      };
      try {
        for await (const part of model.stream({ ...request, alive })) {
          said = true;
          if (part.type !== 'end') {
            yield part;
            continue;
          }
          // Nobody behind here hears what cannot be.
          const usage = usageOf(part.usage?.inputTokens, part.usage?.outputTokens);
          tell('answered', usage);
          yield { ...part, usage };
        }
      } catch (error) {
        if (said) tell('cut');
        else if (request.signal.aborted) tell('stopped');
        else if (isSilence(error)) tell('silent');
        else tell(taken ? 'cut' : 'failed'); // what was taken may have to be paid for
        throw error;
      } finally {
        tell(said ? 'cut' : 'stopped'); // the reader has left
      }
    },
  };
}

/** As patience.ts says it. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'deadline_exceeded';
}
