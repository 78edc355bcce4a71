// The messages API of Anthropic. The base URL ends before `/messages`.
import { createAnthropic } from '@ai-sdk/anthropic';
import type { DriverOptions, Model } from './model.ts';
import { fetchHere, sdkModel } from './sdk.ts';

export function anthropic(options: DriverOptions): Model {
  // Without a key it would look for one in the environment by itself; the configuration alone says which it is.
  const provider = createAnthropic({ baseURL: options.baseUrl, apiKey: options.apiKey ?? 'none', fetch: fetchHere });
  return sdkModel(provider(options.model), options);
}
