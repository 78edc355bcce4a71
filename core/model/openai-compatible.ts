// Chat completions as OpenAI defined them and most model servers answer them. The base URL ends before `/chat/completions`.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { DriverOptions, Model } from './model.ts';
import { sdkModel } from './sdk.ts';

export function openAiCompatible(options: DriverOptions): Model {
  const { name, model, baseUrl, apiKey } = options;
  return sdkModel(options, {
    via: (fetch) =>
      createOpenAICompatible({
        name,
        baseURL: baseUrl,
        ...(apiKey !== undefined && { apiKey }),
        fetch,
        includeUsage: true, // otherwise a stream tells none
      }).chatModel(model),
    tokens: ['prompt_tokens', 'completion_tokens'],
  });
}
