// Tells whoever asks of each request that went out to a model, once it is over: retries and fallbacks are requests of their own. Stands
// right around a driver, since a request that waited, or was refused before it was sent, is nobody's to pay.
import { type Model, type Sent, throwIfStopped, type Usage } from './model.ts';

export function withMeter(model: Model): Model {
  return {
    name: model.name,
    async *stream(request) {
      throwIfStopped(request.signal);
      let told = false;
      let said = false;
      const tell = (outcome: Sent['outcome'], usage?: Usage): void => {
        if (told) return;
        told = true;
        request.told?.({
          model: model.name,
          outcome,
          usage: usage !== undefined && isCount(usage) ? usage : undefined,
        });
      };
      try {
        for await (const part of model.stream(request)) {
          said = true;
          if (part.type === 'end') tell('answered', part.usage);
          yield part;
        }
      } catch (error) {
        tell(said ? 'cut' : request.signal.aborted ? 'stopped' : isSilence(error) ? 'silent' : 'failed');
        throw error;
      } finally {
        tell(said ? 'cut' : 'stopped'); // the reader has left
      }
    },
  };
}

/** Whether these can be counts of tokens; a provider may say anything. */
function isCount({ inputTokens, outputTokens }: Usage): boolean {
  return [inputTokens, outputTokens].every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** As patience.ts says it. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'deadline_exceeded';
}
