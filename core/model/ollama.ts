// Ollama by the chat completions that it serves under `/v1`: unlike the original's `/api/generate` they stream, take messages and tools,
// and tell usage. The base URL is OLLAMA_URL: what stands before `/v1`, or with it, as other clients of Ollama want it.
import type { DriverOptions, Model } from './model.ts';
import { openAiCompatible } from './openai-compatible.ts';

export function ollama(options: DriverOptions): Model {
  return openAiCompatible({ ...options, baseUrl: `${options.baseUrl.replace(/\/v1$/, '')}/v1` });
}
