// Which encoding a model's tokens are of, where its maker has published that.
// https://github.com/openai/tiktoken/blob/main/tiktoken/model.py, and for gpt-4.5 and later names of a family the same family's encoding.
// Not listed, so estimated: what answers no more (text-davinci-003 and older), gpt-oss, whose chat format has more tokens than
// OpenAI's table of 3 for a message, and every other maker's model.
import type { EncodingName } from './encoding.ts';

const models: readonly (readonly [RegExp, EncodingName])[] = [
  [/^(chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5(\.\d+)?|o1|o3|o4)(-|$)/, 'o200k_base'],
  [/^(gpt-4|gpt-3\.5|gpt-3\.5-turbo|gpt-35-turbo)(-|$)/, 'cl100k_base'],
  [/^text-embedding-(ada-002|3-small|3-large)$/, 'cl100k_base'],
];

/**
 * The encoding of a model, by its provider's name for it; undefined: unknown. A fine-tuned model (`ft:gpt-4o:...`) has that of its base,
 * and `openai/gpt-4o`, as routers of models write it, is gpt-4o.
 */
export function encodingOf(model: string): EncodingName | undefined {
  const base = model.toLowerCase().replace(/^openai\//, '');
  const name = base.startsWith('ft:') ? (base.split(':')[1] ?? '') : base;
  return models.find(([pattern]) => pattern.test(name))?.[1];
}
