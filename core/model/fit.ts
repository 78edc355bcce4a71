// Keeps a request within the model's context: too long a prompt is refused before anything is sent, and the answer gets what is left.
import { answerRoom } from './budget.ts';
import { type Model, ModelError } from './model.ts';

export function withFit(model: Model, size: { readonly context: number; readonly maxOutput: number }): Model {
  return {
    name: model.name,
    async *stream(request) {
      const room = answerRoom(request, { name: model.name, ...size });
      if (!room.ok) throw new ModelError('out_of_range', room.error);
      yield* model.stream({ ...request, maxTokens: Math.min(request.maxTokens ?? room.value, room.value) });
    },
  };
}
