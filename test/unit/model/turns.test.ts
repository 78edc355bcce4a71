// A model that streams faster than it is read does not keep the process from everything else: the host renews its leases, and hears of
// cancels, in between.
import type { LanguageModelV3, LanguageModelV3StreamPart } from '@ai-sdk/provider';
import { expect, test } from 'vitest';
import { collect } from '#core/model/model.ts';
import { sdkModel } from '#core/model/sdk.ts';

test('others get their turn while a long answer comes at once', { timeout: 60_000 }, async () => {
  const pieces = 200_000;
  let made = 0;
  const stream = new ReadableStream<LanguageModelV3StreamPart>({
    pull(controller) {
      if (made++ < pieces) return controller.enqueue({ type: 'text-delta', id: '1', delta: 'x ' });
      const counts = { total: 1 } as never;
      const finishReason = { unified: 'stop', raw: 'stop' } as const;
      controller.enqueue({ type: 'finish', finishReason, usage: { inputTokens: counts, outputTokens: counts } });
      controller.close();
    },
  });
  const sdk = { doStream: () => Promise.resolve({ stream }) } as unknown as LanguageModelV3;
  const about = { name: 'fast', model: 'm', baseUrl: 'http://127.0.0.1:1', apiKey: undefined, maxOutput: 10 };
  const model = sdkModel({ ...about, now: () => Date.now() }, { via: () => sdk, tokens: ['in', 'out'] });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const { text } = await collect(
    model.stream({ messages: [{ role: 'user', content: 'go' }], signal: new AbortController().signal }),
  );
  clearInterval(timer);
  expect(text).toHaveLength(2 * pieces);
  expect(turns).toBeGreaterThan(1);
});
