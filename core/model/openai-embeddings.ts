// Embeddings as OpenAI defined them and most model servers answer them. The base URL ends before `/embeddings`. One request after the
// other, each of it once: who tries again is who asks.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { EmbeddingModelV3Result } from '@ai-sdk/provider';
import type { Embeddings } from '#core/context/repo/embeddings.ts';
import type { Clock } from '#core/system.ts';
import { ModelError, throwIfStopped } from './model.ts';
import { type EmbeddingsEntry, maxDimensions } from './models.ts';
import { garbage, modelError, withoutKey } from './sdk-error.ts';
import { wireFetch } from './wire.ts';

/** Texts of one request: of 6,000 characters each they stay below what a provider takes at once. */
const batch = 32;

/** How long one request may take. */
const patienceMs = 60_000;

export interface EmbeddingsOptions extends Omit<EmbeddingsEntry, 'keyEnv'> {
  readonly apiKey: string | undefined;
  readonly clock: Clock;
}

/** Throws ModelError, or what the signal was aborted with. */
export function openAiEmbeddings({
  model,
  baseUrl,
  apiKey,
  dimensions,
  maxCharacters,
  clock,
}: EmbeddingsOptions): Embeddings {
  async function ask(values: string[], signal: AbortSignal): Promise<readonly Float32Array[]> {
    throwIfStopped(signal);
    const late = new AbortController();
    const cancel = clock.after(patienceMs, () =>
      late.abort(new ModelError('deadline_exceeded', `model ${model} took more than ${patienceMs / 1_000} s`)),
    );
    let taken = false;
    try {
      const provider = createOpenAICompatible({
        name: 'openaiCompatible',
        baseURL: baseUrl,
        ...(apiKey !== undefined && { apiKey }),
        fetch: wireFetch(model, () => {
          taken = true;
        }),
      });
      const answer = await provider.embeddingModel(model).doEmbed({
        values,
        abortSignal: AbortSignal.any([signal, late.signal]),
        ...(dimensions !== undefined && { providerOptions: { openaiCompatible: { dimensions } } }),
      });
      return vectorsOf(answer, values.length);
    } catch (error) {
      throwIfStopped(signal);
      throwIfStopped(late.signal);
      throw modelError(model, withoutKey(apiKey, error), clock.now(), taken);
    } finally {
      cancel();
    }
  }

  /** In the order of the texts: an answer may be in another one, and says so with `index`. */
  function vectorsOf({ embeddings, response }: EmbeddingModelV3Result, count: number): readonly Float32Array[] {
    const told = (response?.body ?? { data: [] }) as { readonly data: readonly { readonly index?: unknown }[] };
    const vectors: Float32Array[] = [];
    for (const [i, numbers] of embeddings.entries()) {
      const at = told.data[i]?.index ?? i;
      if (typeof at === 'number') vectors[at] = Float32Array.from(numbers);
    }
    // A place that is no whole number, or too far away, is one more key or a greater length.
    if (embeddings.length !== count || Object.keys(vectors).length !== count || vectors.length !== count)
      throw garbage(model, new Error(`${embeddings.length} vectors for ${count} texts`));
    const length = dimensions ?? vectors[0]?.length ?? 0;
    if (length < 1 || length > maxDimensions || vectors.some((vector) => vector.length !== length))
      throw garbage(
        model,
        new Error(`a vector has not ${dimensions ?? `as many numbers as the others, 1 to ${maxDimensions}`}`),
      );
    return vectors;
  }

  return {
    model,
    dimensions,
    async embed(texts, { signal }) {
      const vectors: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += batch) {
        const values = texts.slice(at, at + batch).map((text) => text.slice(0, maxCharacters).toWellFormed());
        for (const vector of await ask(values, signal)) {
          if (vector.length !== (vectors[0] ?? vector).length)
            throw garbage(model, new Error('vectors of several lengths'));
          vectors.push(vector);
        }
      }
      return vectors;
    },
  };
}
