// Chat completions as OpenAI defined them and most model servers answer them. The base URL ends before `/chat/completions`.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { DriverOptions, Model } from './model.ts';
import { fetchHere, sdkModel } from './sdk.ts';

export function openAiCompatible(options: DriverOptions): Model {
  const { name, model, baseUrl, apiKey } = options;
  const provider = createOpenAICompatible({
    name,
    baseURL: baseUrl,
    ...(apiKey !== undefined && { apiKey }),
    fetch: fetchHere,
    includeUsage: true, // otherwise a stream tells none
  });
  return sdkModel(provider.chatModel(model), options);
}
