// Counting against an independent tokenizer: every code point, texts of every kind, and what has no end.
import { beforeAll, describe, expect, test } from 'vitest';
import { long } from '../../helpers/long.ts';
import { encodingOf } from '#core/context/encoding-of.ts';
import type { Encoding, EncodingName } from '#core/context/encoding.ts';
import { loadEncoding } from '#core/context/load-tokenizer.ts';
import { createOracle } from '../../helpers/context/oracle.ts';
import { randomText } from '../../helpers/context/texts.ts';
import { createRandom } from '../../helpers/random.ts';

const oracle = createOracle();

describe.each<EncodingName>(['o200k_base', 'cl100k_base'])('%s', (name) => {
  let encoding: Encoding;
  beforeAll(async () => {
    encoding = await loadEncoding(name);
  });
  const same = (text: string): void => {
    const [ours, theirs] = [encoding.count(text), oracle.text(name, text)];
    if (ours !== theirs) expect.fail(`${ours} tokens, not ${theirs}: ${JSON.stringify(text.slice(0, 200))}`);
  };

  test('knows what every code point is: letter, mark, digit, sign or space', { timeout: 120_000 }, () => {
    // Behind a letter or a mark "/I" is one piece and one token; behind a sign the slash belongs to the sign.
    const around = [(c: string) => `${c}/I`, (c: string) => `I${c}'s`, (c: string) => ` ${c}${c} x\n`];
    for (const put of around) {
      // The planes behind the third are empty but for tags and private use.
      for (
        let first = 0;
        first < 0x110000;
        first += first === 0x40000 - 64 ? 0xa0040 : first >= 0xe1000 ? 0x1000 : 64
      ) {
        // Ideographs and private use are long runs of one kind: all of them in the long version.
        if (!long && first >= 0x3400 && first % 0x400 !== 0) continue;
        const block = Array.from({ length: 64 }, (_, i) => put(String.fromCodePoint(first + i)));
        same(block.join('\0'));
      }
    }
  });

  test('takes what stands for a special token as text, and half a pair as what is sent for it', () => {
    for (const text of [
      '<|endoftext|>',
      'a<|im_start|>system<|im_sep|>',
      '<|fim_prefix|> <|endofprompt|>',
      '\ud800',
      'a\udc00b',
    ])
      same(text);
    expect(encoding.count('<|endoftext|>')).toBeGreaterThan(1);
    expect(encoding.count('')).toBe(0);
  });

  test('counts texts of every kind as the reference does', { timeout: 60_000 }, () => {
    for (let seed = 0; seed < 1_500; seed++) same(randomText(createRandom(seed), 1 + ((seed * 37) % 700)));
  });

  test('joins in a long piece as in a short one', () => {
    for (const unit of ['a', ' ', '!', 'ab', 'xyzzy', '漢', '👨‍👩‍👧', '\u0301', '=-']) same(unit.repeat(1_500));
  });

  // The reference needs minutes for these: its time grows with the square of a piece's length. Known by themselves are these counts:
  test.each([
    ['a million digits', '7'.repeat(1_000_000), 333_334],
    ['a million letters', 'a'.repeat(1_000_000), 125_000],
  ])('counts %s', { timeout: 120_000 }, (_name, text, tokens) => {
    expect(encoding.count(text)).toBe(tokens);
  });

  test('reaches as far as a limit allows, and no further', () => {
    for (let seed = 0; seed < 400; seed++) {
      const random = createRandom(seed);
      const text = randomText(random, 1 + random.below(900)).toWellFormed();
      const all = encoding.count(text);
      const limit = random.below(all + 3);
      const { tokens, end } = encoding.reach(text, limit);
      expect(tokens).toBeLessThanOrEqual(limit);
      expect(text.slice(0, end).isWellFormed()).toBe(true);
      expect(end === text.length).toBe(all <= limit);
    }
  });

  test('looks at no more of a text than its limit is worth', () => {
    // The whole of it would take minutes, and the test's time runs out.
    const text = 'a b'.repeat(20_000_000);
    expect(encoding.reach(text, 10)).toEqual({ tokens: 10, end: expect.any(Number) });
  });
});

test.each([
  ['gpt-4o', 'o200k_base'],
  ['gpt-4o-mini-2024-07-18', 'o200k_base'],
  ['chatgpt-4o-latest', 'o200k_base'],
  ['gpt-4.1-nano', 'o200k_base'],
  ['gpt-5', 'o200k_base'],
  ['gpt-5.1-codex', 'o200k_base'],
  ['o1', 'o200k_base'],
  ['o3-mini', 'o200k_base'],
  ['openai/gpt-4o', 'o200k_base'],
  ['ft:gpt-4o-mini:us::1', 'o200k_base'],
  ['gpt-4', 'cl100k_base'],
  ['gpt-4-turbo', 'cl100k_base'],
  ['gpt-3.5-turbo-0125', 'cl100k_base'],
  ['ft:gpt-3.5-turbo:me', 'cl100k_base'],
  ['text-embedding-3-large', 'cl100k_base'],
  ['gpt-oss-120b', undefined],
  ['text-davinci-003', undefined],
  ['gpt-4000', undefined],
  ['o1x', undefined],
  ['claude-sonnet-4', undefined],
  ['llama3.2', undefined],
  ['', undefined],
])('the encoding of model "%s" is %s', (model, encoding) => {
  expect(encodingOf(model)).toBe(encoding);
});
