// An independent count of what a prompt costs: OpenAI's own tokenizer, compiled to wasm, and the cookbook's sum.
import { get_encoding, type Tiktoken } from 'tiktoken';
import type { EncodingName } from '#core/context/encoding.ts';
import type { ModelMessage } from '#core/model/model.ts';

export interface Oracle {
  text(encoding: EncodingName, text: string): number;
  /** `undefined`: a model whose encoding nobody knows. */
  prompt(encoding: EncodingName | undefined, messages: readonly ModelMessage[]): number;
}

export function createOracle(): Oracle {
  const encodings: Record<EncodingName, Tiktoken> = {
    o200k_base: get_encoding('o200k_base'),
    cl100k_base: get_encoding('cl100k_base'),
  };
  // No special token is allowed and none is refused: they are text.
  const text = (encoding: EncodingName, words: string): number => encodings[encoding].encode(words, [], []).length;
  const exact = (encoding: EncodingName, messages: readonly ModelMessage[]): number => {
    let tokens = 3;
    for (const message of messages) {
      tokens += 3;
      for (const words of sentTexts(message)) tokens += text(encoding, words);
      if (message.role === 'assistant') tokens += 3 * (message.toolCalls?.length ?? 0);
    }
    return tokens;
  };
  return {
    text,
    prompt(encoding, messages) {
      if (encoding !== undefined) return exact(encoding, messages);
      const larger = Math.max(exact('o200k_base', messages), exact('cl100k_base', messages));
      return larger + Math.ceil(larger / 10);
    },
  };
}

function sentTexts(message: ModelMessage): string[] {
  if (message.role === 'tool') return [message.role, message.content, message.callId, message.name];
  if (message.role !== 'assistant') return [message.role, message.content];
  const calls = (message.toolCalls ?? []).flatMap(({ id, name, input }) => [id, name, JSON.stringify(input)]);
  return [message.role, message.content, ...calls];
}
