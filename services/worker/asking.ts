// The models as one attempt of a job asks them: its signal ends every request, and what the requests took is summed for its result,
// and told to its meter, which counts also what came to no result.
import { CortexError } from '#core/errors.ts';
import { type Answer, collect, type ModelPart, type ModelRequest, type Sent } from '#core/model/model.ts';
import type { Models } from '#core/model/serve.ts';
import type { ModelUsage } from '#core/protocol/payloads.ts';
import type { JobContext } from './define.ts';

/** A request without what is the attempt's. */
export type Question = Omit<ModelRequest, 'signal' | 'told' | 'alive'>;

export interface Asking {
  /** Parts as they are made. Throws as the model does. */
  stream(question: Question): AsyncIterable<ModelPart>;
  /**
   * The whole answer; `said` hears its text as it is made. Throws as the model does, and `internal` for an answer without a text or a
   * tool call.
   */
  ask(question: Question, said?: (text: string) => void): Promise<Answer>;
  /** What was asked so far took, as results tell it; nothing where no provider told. Without a price for each there is no cost. */
  used(): { readonly usage?: ModelUsage };
}

/** The models for one attempt. */
export function asking(
  models: Models,
  { signal, meter, recorder }: Pick<JobContext, 'signal' | 'meter' | 'recorder'>,
): Asking {
  let sum: ModelUsage | undefined;
  const told = (sent: Sent): void =>
    meter?.sent(sent, sent.usage === undefined ? undefined : models.cost(sent.model, sent.usage));

  async function* stream(question: Question): AsyncIterable<ModelPart> {
    const exchange = recorder?.exchange(question);
    try {
      for await (const part of models.default.stream({ ...question, signal, told })) {
        const took = part.type === 'end' ? part.usage : undefined;
        if (part.type === 'end' && took !== undefined) sum = plus(sum, models, part.model, took);
        exchange?.part(part, part.type === 'end' && took !== undefined ? models.cost(part.model, took) : undefined);
        yield part;
      }
    } catch (error) {
      exchange?.failed(error);
      throw error;
    }
  }

  return {
    stream,
    async ask(question, said) {
      const parts = stream(question);
      const answer = await collect(said === undefined ? parts : overheard(parts, said));
      if (answer.text === '' && answer.toolCalls.length === 0) throw saidNothing(answer);
      return answer;
    },
    used: () => (sum === undefined ? {} : { usage: sum }),
  };
}

function saidNothing({ model, finish }: Answer): CortexError {
  const why =
    finish === 'length'
      ? 'reached its bound of tokens before it had said anything whole'
      : `answered without a text (${finish})`;
  return new CortexError('internal', `model ${model} ${why}`);
}

async function* overheard(parts: AsyncIterable<ModelPart>, said: (text: string) => void): AsyncIterable<ModelPart> {
  for await (const part of parts) {
    if (part.type === 'text') said(part.text);
    yield part;
  }
}

function plus(
  sum: ModelUsage | undefined,
  models: Models,
  model: string,
  { inputTokens, outputTokens }: { readonly inputTokens: number; readonly outputTokens: number },
): ModelUsage {
  const cost = models.cost(model, { inputTokens, outputTokens });
  const known = cost !== undefined && (sum === undefined || sum.cost !== undefined);
  return {
    input_tokens: (sum?.input_tokens ?? 0) + inputTokens,
    output_tokens: (sum?.output_tokens ?? 0) + outputTokens,
    ...(known && { cost: (sum?.cost ?? 0) + cost }),
  };
}
