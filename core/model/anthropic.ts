// The messages API of Anthropic. The base URL ends before `/messages`.
import { createAnthropic } from '@ai-sdk/anthropic';
import type { DriverOptions, Model } from './model.ts';
import { sdkModel } from './sdk.ts';

export function anthropic(options: DriverOptions): Model {
  const { apiKey = 'none', baseUrl, model } = options;
  return sdkModel(options, {
    // Without a key it would look for one in the environment by itself; the configuration alone says which it is.
    via: (fetch) => createAnthropic({ baseURL: baseUrl, apiKey, fetch })(model),
    tokens: ['input_tokens', 'output_tokens'],
  });
}
