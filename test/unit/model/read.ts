// Reading a model's stream in tests: what came, and what it failed with.
import { collect, type Model, type ModelPart, type ModelRequest } from '#core/model/model.ts';

/** A request that nobody stops. */
export const hello: ModelRequest = {
  messages: [{ role: 'user', content: 'hello' }],
  signal: new AbortController().signal,
};

/** The text of the whole answer. */
export async function text(model: Model, request: Partial<ModelRequest> = {}): Promise<string> {
  return (await collect(model.stream({ ...hello, ...request }))).text;
}

/** The texts that came, and the error that ended them. */
export async function broken(
  model: Model,
  request: Partial<ModelRequest> = {},
): Promise<{ readonly texts: string[]; readonly error: unknown }> {
  const texts: string[] = [];
  try {
    for await (const part of model.stream({ ...hello, ...request })) if (part.type === 'text') texts.push(part.text);
  } catch (error) {
    return { texts, error };
  }
  throw new Error('it did not fail');
}

export const said = (words: string): ModelPart => ({ type: 'text', text: words });
