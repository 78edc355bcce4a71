// What messages cost, and the memory for counts.
import { expect, test } from 'vitest';
import { createCountCache } from '#core/context/count-cache.ts';
import type { Encoding } from '#core/context/encoding.ts';
import { loadEncoding, loadTokenizer } from '#core/context/load-tokenizer.ts';
import { createTokenizer } from '#core/context/tokens.ts';
import type { ModelMessage } from '#core/model/model.ts';

test('a prompt costs what the cookbook says', async () => {
  // The cookbook's own example for gpt-4 without names: https://github.com/openai/openai-cookbook
  const tokenizer = await loadTokenizer('gpt-4o');
  expect(tokenizer.estimated).toBe(false);
  expect(tokenizer.prompt([])).toBe(3);
  expect(tokenizer.prompt([{ role: 'user', content: 'hello' }])).toBe(3 + 3 + 1 + 1);
  const call: ModelMessage = { role: 'assistant', content: '', toolCalls: [{ id: 'a', name: 'b', input: {} }] };
  // A call: 3, its id, its name and "{}"; its result: its call's id and name as well.
  expect(tokenizer.prompt([call])).toBe(3 + 3 + 1 + 3 + 1 + 1 + 1);
  expect(tokenizer.prompt([call, { role: 'tool', callId: 'a', name: 'b', content: 'c' }])).toBe(13 + 3 + 1 + 1 + 1 + 1);
});

test('for a model whose encoding nobody knows the larger count is taken, and a tenth more', async () => {
  const tokenizer = await loadTokenizer('llama3.2');
  const [o200k, cl100k] = await Promise.all([loadEncoding('o200k_base'), loadEncoding('cl100k_base')]);
  const text = 'информация о системе';
  expect(cl100k.count(text)).toBeGreaterThan(o200k.count(text));
  expect(tokenizer.estimated).toBe(true);
  const larger = cl100k.count(text) + 3 + 1 + 3;
  expect(tokenizer.prompt([{ role: 'user', content: text }])).toBe(Math.ceil(larger * 1.1));
});

test('an encoding is read once', () => {
  expect(loadEncoding('o200k_base')).toBe(loadEncoding('o200k_base'));
});

function counting(): Encoding & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    ...{ name: 'o200k_base', asked, reach: (text) => ({ tokens: 0, end: text.length }) },
    count(text) {
      asked.push(text);
      return text.length;
    },
  };
}

test('a text is counted once, and forgotten when others were used since', () => {
  const encoding = counting();
  const cache = createCountCache(8_000);
  const texts = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i).repeat(400)); // 800 bytes each: ten fit
  for (const text of texts.slice(0, 10)) cache.count(encoding, text);
  for (const text of texts.slice(0, 10)) expect(cache.count(encoding, text)).toBe(400);
  expect(encoding.asked).toEqual(texts.slice(0, 10));
  cache.count(encoding, texts[0] ?? ''); // the youngest now
  cache.count(encoding, texts[10] ?? '');
  cache.count(encoding, texts[0] ?? '');
  expect(encoding.asked).toHaveLength(11);
  cache.count(encoding, texts[1] ?? '');
  expect(encoding.asked).toHaveLength(12);
  expect(cache.bytes).toBe(8_000);
});

test('what is large is counted and not kept', () => {
  const encoding = counting();
  const cache = createCountCache(8_000);
  expect(cache.count(encoding, 'a'.repeat(501))).toBe(501);
  expect(cache.bytes).toBe(0);
});

test('counts of two encodings are not mixed up', async () => {
  const cache = createCountCache();
  const text = 'Ελληνικά '.repeat(10);
  for (const name of ['o200k_base', 'cl100k_base'] as const) {
    const encoding = await loadEncoding(name);
    expect(createTokenizer('x', [encoding], cache).text(text).first).toBe(encoding.count(text));
    expect(createTokenizer('x', [encoding], cache).text(text).first).toBe(encoding.count(text));
  }
});
