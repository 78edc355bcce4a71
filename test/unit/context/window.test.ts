// What a window promises, one promise at a time. That no window is over its budget is shown by window-random.test.ts.
import { beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '#core/context/load-tokenizer.ts';
import type { Piece } from '#core/context/piece.ts';
import type { Tokenizer } from '#core/context/tokens.ts';
import { buildWindow, type Window, type WindowInput } from '#core/context/window.ts';
import type { ModelMessage } from '#core/model/model.ts';
import { randomWindow } from '../../helpers/context/windows.ts';
import { createRandom } from '../../helpers/random.ts';

let gpt4o: Tokenizer;
beforeAll(async () => {
  gpt4o = await loadTokenizer('gpt-4o');
});

const words = (n: number, word = 'word'): string => Array.from({ length: n }, () => word).join(' ');
const user = (content: string): ModelMessage => ({ role: 'user', content });
const assistant = (content: string): ModelMessage => ({ role: 'assistant', content });
const call = (id: string, input: unknown = {}): ModelMessage => ({
  role: 'assistant',
  content: '',
  toolCalls: [{ id, name: 'read', input }],
});
const result = (callId: string, content: string): ModelMessage => ({ role: 'tool', callId, name: 'read', content });
const piece = (source: string, more: Partial<Piece> = {}): Piece => ({
  ...{ source, score: 1, reason: 'by words', text: words(40), lines: undefined },
  ...more,
});
const input = (more: Partial<WindowInput> & { readonly max?: number } = {}): WindowInput => ({
  ...{
    system: ['be brief'],
    history: [],
    pieces: [],
    user: 'what now?',
    budget: { maxInputTokens: more.max ?? 10_000 },
  },
  ...more,
});
const build = (given: WindowInput): Window => {
  const built = buildWindow(given, gpt4o);
  if (!built.ok) throw built.error;
  return built.value;
};
const contents = (window: Window): string[] => window.messages.map(({ content }) => content);

test('a history of very many messages is no trouble', { timeout: 60_000 }, () => {
  const history = Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? user('q') : assistant('a')));
  const window = build(input({ history, max: 2 ** 31 - 1, pieces: [piece('a.ts', { repeats: 3 })] }));
  expect(window.messages).toHaveLength(history.length + 2);
  expect(window.leftOut.map(({ why }) => why)).toEqual(['in_history']);
});

describe('order', () => {
  test('is system, what lasts, history, what was found, user', () => {
    const window = build(
      input({
        system: ['one', '', 'two'],
        history: [user('q1'), assistant('a1')],
        pieces: [
          piece('b.ts', { text: 'b', score: 9 }),
          piece('a.ts', { text: 'a' }),
          piece('map', { text: 'm', lasting: true }),
        ],
      }),
    );
    expect(contents(window)).toEqual(['one', 'two', 'map\nm', 'q1', 'a1', 'a.ts\na', 'b.ts\nb', 'what now?']);
    expect(window.parts.map(({ kind }) => kind)).toEqual([
      ...['system', 'system', 'piece', 'history', 'history', 'piece', 'piece', 'user'],
    ]);
    expect(window.leftOut).toEqual([]);
  });

  test('begins the same when a turn is added', () => {
    const pieces = [piece('map', { lasting: true }), piece('style', { lasting: true, score: 2 })];
    const history = Array.from({ length: 20 }, (_, i) => [user(`question ${i}`), assistant(`answer ${i}`)]).flat();
    for (let turns = 1; turns < 20; turns++) {
      const [before, after] = [turns, turns + 1].map((n) =>
        contents(build(input({ history: history.slice(0, 2 * n), pieces: [...pieces, piece(`found ${n}.ts`)] }))),
      );
      // System, two pieces that last, all turns so far.
      expect(after?.slice(0, 3 + 2 * turns)).toEqual(before?.slice(0, 3 + 2 * turns));
    }
  });

  test('begins the same as far as what lasts when the history has no room any more', () => {
    const pieces = [piece('map', { lasting: true }), piece('style', { lasting: true, score: 2 })];
    const history = Array.from({ length: 40 }, (_, i) => user(words(30 + i)));
    const [before, after] = [30, 40].map((n) =>
      contents(build(input({ history: history.slice(0, n), pieces, max: 600 }))),
    );
    expect(after?.slice(0, 3)).toEqual(before?.slice(0, 3));
    expect(before?.[1]).toMatch(/^style\n/);
  });
});

describe('choice', () => {
  test('keeps the newest of a history, and cuts the oldest that is kept', () => {
    const history = Array.from({ length: 10 }, (_, i) => user(`${i} ${words(100)}`));
    const window = build(input({ history, max: 500 }));
    expect(window.parts.flatMap((part) => (part.kind === 'history' ? [[part.index, part.cut]] : []))).toEqual([
      ...[[5, 'word'], ...[6, 7, 8, 9].map((i) => [i, undefined])],
    ]);
    expect(window.messages[1]?.content).toMatch(/^5 word.* word\n\[cut\]$/);
    expect(window.leftOut.map((one) => 'index' in one && [one.index, one.why])).toEqual(
      [0, 1, 2, 3, 4].map((i) => [i, 'no_room']),
    );
  });

  test.each([
    [0, 0, 8],
    [0.25, 2, 6],
    [0.5, 4, 4],
    [1, 8, 0],
  ])('shares the room: %f of it to the history', (historyShare, turns, pieces) => {
    const given = {
      history: Array.from({ length: 20 }, () => user(words(94))),
      pieces: Array.from({ length: 20 }, (_, i) => piece(`f${i}`, { text: words(90) })),
    };
    const window = build(input({ ...given, budget: { maxInputTokens: 840, historyShare } }));
    const whole = (kind: string): number =>
      window.parts.filter((part) => part.kind === kind && part.cut === undefined).length;
    expect(Math.abs(whole('history') - turns)).toBeLessThanOrEqual(1);
    expect(Math.abs(whole('piece') - pieces)).toBeLessThanOrEqual(1);
  });

  test('gives what one side does not need to the other', () => {
    const history = Array.from({ length: 20 }, () => user(words(94)));
    const alone = build(input({ history, budget: { maxInputTokens: 840, historyShare: 0.1 } }));
    expect(alone.parts.filter(({ kind }) => kind === 'history').length).toBeGreaterThanOrEqual(8);
    const pieces = Array.from({ length: 20 }, (_, i) => piece(`f${i}`, { text: words(90) }));
    const found = build(input({ pieces, budget: { maxInputTokens: 840, historyShare: 0.9 } }));
    expect(found.parts.filter(({ kind }) => kind === 'piece').length).toBeGreaterThanOrEqual(8);
  });

  test('takes the best pieces, in whatever order they come, and each once', () => {
    const pieces = Array.from({ length: 30 }, (_, i) =>
      piece(`f${i % 15}`, { score: i % 3, text: words(20, `w${i % 15}`) }),
    );
    const first = build(input({ pieces, max: 300 }));
    const random = createRandom(7);
    for (let i = 0; i < 50; i++) {
      const shuffled = pieces.toSorted(() => random.next() - 0.5);
      expect(contents(build(input({ pieces: shuffled, max: 300 })))).toEqual(contents(first));
    }
    const taken = first.parts.flatMap((part) => (part.kind === 'piece' ? [part.score] : []));
    const left = first.leftOut.flatMap((one) => (one.kind === 'piece' && one.why === 'no_room' ? [one.score] : []));
    expect(left.length).toBeGreaterThan(3);
    expect(Math.min(...taken)).toBeGreaterThanOrEqual(Math.max(...left));
    expect(first.leftOut.filter(({ why }) => why === 'duplicate')).toHaveLength(15);
  });

  test('cuts code at a line and says which lines are there', () => {
    const text = Array.from({ length: 100 }, (_, i) => `const value${i} = ${i};`).join('\n');
    const window = build(input({ pieces: [piece('a.ts', { text, lines: { first: 11, last: 110 } })], max: 300 }));
    const part = window.parts.find(({ kind }) => kind === 'piece');
    if (part?.kind !== 'piece' || part.lines === undefined) throw new Error('the piece is not there');
    const kept = text.split('\n').slice(0, part.lines.last - 10);
    expect(part).toMatchObject({ cut: 'line', source: 'a.ts', reason: 'by words', score: 1 });
    expect(window.messages[1]?.content).toBe(`a.ts:11-${part.lines.last}\n${kept.join('\n')}\n[cut]`);
    expect(window.inputTokens).toBeGreaterThanOrEqual(0.97 * 300);
  });

  test('cuts within a line only where nothing else would use the budget', () => {
    const text = 'x = 1; '.repeat(400);
    const window = build(input({ pieces: [piece('min.js', { text, lines: { first: 1, last: 1 } })], max: 300 }));
    expect(window.parts[1]).toMatchObject({ kind: 'piece', cut: 'character', lines: { first: 1, last: 1 } });
    expect(window.inputTokens).toBeGreaterThanOrEqual(0.97 * 300);
  });
});

describe('tools', () => {
  const old = Array.from({ length: 6 }, (_, i) => user(`${i} ${words(30)}`));

  test('a call and its results go together', () => {
    const history = [...old, call('c1'), result('c1', words(50)), assistant('done')];
    for (let max = 20; max < 400; max += 3) {
      const roles = build(input({ history, max })).messages.map(({ role }) => role);
      expect(roles.includes('tool')).toBe(roles.filter((role) => role === 'assistant').length === 2);
    }
  });

  test('a call too large for the budget is passed by, and what is older is kept', () => {
    const history = [...old, call('c1', { text: words(500) }), result('c1', 'ok'), user('and then?')];
    const window = build(input({ history, max: 200 }));
    expect(window.messages.map(({ role }) => role)).not.toContain('tool');
    expect(contents(window).some((content) => content.startsWith('5 word'))).toBe(true);
    expect(window.leftOut.filter(({ why }) => why === 'no_room').length).toBeGreaterThanOrEqual(2);
  });

  test('halves of a pair are never sent', () => {
    const window = build(
      input({
        history: [
          result('x', 'r'),
          call('c1'),
          user('no result came'),
          call('c2'),
          result('c3', 'other'),
          assistant(''),
        ],
      }),
    );
    expect(contents(window)).toEqual(['be brief', 'no result came', 'what now?']);
    expect(window.leftOut.map((one) => 'index' in one && [one.index, one.why])).toEqual([
      [0, 'result_without_call'],
      [1, 'call_without_result'],
      [3, 'call_without_result'],
      [4, 'result_without_call'],
      [5, 'empty'],
    ]);
  });
});

test('the same input gives the same bytes, and counts of what was left out if asked', async () => {
  const tokenizers = new Map(
    await Promise.all(['gpt-4o', 'gpt-4', 'some-other-model'].map(async (m) => [m, await loadTokenizer(m)] as const)),
  );
  for (let seed = 0; seed < 150; seed++) {
    const given = randomWindow(seed);
    const [one, two] = [0, 1].map(() =>
      buildWindow(structuredClone(given.input), tokenizers.get(given.model) ?? gpt4o),
    );
    expect(JSON.stringify(one)).toBe(JSON.stringify(two));
    const explained = buildWindow({ ...given.input, explain: true }, tokenizers.get(given.model) ?? gpt4o);
    if (!explained.ok || !one?.ok) continue;
    expect(explained.value.messages).toEqual(one.value.messages);
    for (const { why, tokens } of explained.value.leftOut) if (why !== 'duplicate') expect(tokens).toBeGreaterThan(0);
  }
});

describe('refusal', () => {
  test('says how many tokens are needed and how many there are', () => {
    const built = buildWindow(input({ user: words(500), budget: { maxInputTokens: 300, reserve: 50 } }), gpt4o);
    const needed = gpt4o.prompt([{ role: 'system', content: 'be brief' }, user(words(500))]);
    expect(built).toMatchObject({
      ok: false,
      error: {
        ...{ code: 'out_of_range', field: 'max_input_tokens' },
        message: `the system part and the last user message need ${needed} tokens, and there are 250`,
      },
    });
  });

  test('does not count a huge message to its end', () => {
    expect(buildWindow(input({ user: 'a b'.repeat(20_000_000), max: 100 }), gpt4o)).toMatchObject({
      error: { code: 'out_of_range', message: expect.stringContaining('more than 100') as string },
    });
  });

  test.each<[string, Partial<WindowInput>]>([
    ['max_input_tokens', { budget: { maxInputTokens: 0 } }],
    ['max_input_tokens', { budget: { maxInputTokens: 1.5 } }],
    ['reserve', { budget: { maxInputTokens: 10, reserve: -1 } }],
    ['history_share', { budget: { maxInputTokens: 10, historyShare: NaN } }],
    ['pieces.1.score', { pieces: [piece('a'), piece('b', { score: NaN })] }],
    ['pieces.0.lines', { pieces: [piece('a', { lines: { first: 3, last: 2 } })] }],
  ])('names %s', (field, more) => {
    expect(buildWindow(input(more), gpt4o)).toMatchObject({ ok: false, error: { code: 'invalid_argument', field } });
  });
});
