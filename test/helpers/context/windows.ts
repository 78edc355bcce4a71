// Random requests for a window, from a seed: a median of 600 tokens, with less or more material than fits.
import type { Piece } from '#core/context/piece.ts';
import type { WindowInput } from '#core/context/window.ts';
import type { ModelMessage } from '#core/model/model.ts';
import { createRandom, type Random } from '../random.ts';
import { randomText } from './texts.ts';

/** By what their encoding is: one, the other, and unknown. */
export const models = ['gpt-4o', 'gpt-4', 'some-other-model'] as const;

export interface RandomWindow {
  readonly model: (typeof models)[number];
  readonly input: WindowInput;
}

export function randomWindow(seed: number): RandomWindow {
  const random = createRandom(seed);
  // From 220 to 2,000 with a median of 660; seldom next to nothing, or as much as a small model's whole context.
  const size = random.weighted({ usual: 96, tiny: 2, large: 2 });
  const budget =
    size === 'tiny'
      ? 1 + random.below(100)
      : size === 'large'
        ? 2_000 + random.below(6_000)
        : Math.round(220 * 9 ** random.next());
  // Characters of all material, from a quarter of what fits to five times as much.
  const material = (budget * 3 * 20 ** random.next()) / 4;
  const huge = random.chance(0.05);
  const system = Array.from({ length: random.below(3) }, () => randomText(random, random.below(budget / 4 + 1)));
  const history = randomHistory(random, material * random.next(), huge);
  const pieces = randomPieces(random, material * random.next(), history.length);
  const user = randomText(random, random.chance(0.02) ? budget * 5 : random.below(budget / 2 + 1));
  return {
    model: random.weighted({ 'gpt-4o': 4, 'gpt-4': 3, 'some-other-model': 2 }),
    input: {
      ...{
        system,
        history,
        pieces,
        user,
        pieceRole: random.chance(0.5) ? 'system' : 'user',
        explain: random.chance(0.05),
      },
      budget: {
        maxInputTokens: budget,
        reserve: random.chance(0.2) ? random.below(budget / 4 + 1) : 0,
        historyShare: random.chance(0.5) ? 0.5 : random.next(),
      },
    },
  };
}

function randomHistory(random: Random, length: number, huge: boolean): ModelMessage[] {
  const history: ModelMessage[] = [];
  let left = length;
  for (let id = 0; left > 0 && history.length < 60; id++) {
    const size = Math.min(left, huge && id === 0 ? left : 20 + random.below(random.chance(0.2) ? 3_000 : 400));
    left -= size + 10;
    const kind = random.weighted({ user: 4, assistant: 4, tools: 2, broken: 0.3 });
    if (kind === 'user' || kind === 'assistant') {
      history.push({ role: kind, content: randomText(random, size) });
      continue;
    }
    const calls = Array.from({ length: 1 + random.below(3) }, (_, i) => ({ id: `call_${id}_${i}`, name: 'read_file' }));
    const input = (): unknown => ({ path: `src/${random.below(100)}.ts`, note: randomText(random, random.below(60)) });
    const call: ModelMessage = {
      role: 'assistant',
      content: random.chance(0.5) ? '' : randomText(random, 30),
      toolCalls: calls.map((one) => ({ ...one, input: input() })),
    };
    const results = calls.map(
      (one): ModelMessage => ({
        ...{ role: 'tool', callId: one.id, name: one.name },
        content: random.chance(0.05) ? '' : randomText(random, size / calls.length),
      }),
    );
    const all = [call, ...(random.chance(0.2) ? results.toReversed() : results)];
    if (kind === 'broken') all.splice(random.below(all.length), 1);
    history.push(...all);
  }
  return history;
}

function randomPieces(random: Random, length: number, said: number): Piece[] {
  const pieces: Piece[] = [];
  for (let left = length; left > 0 && pieces.length < 40; ) {
    const text = randomText(random, Math.min(left, 20 + random.below(random.chance(0.2) ? 4_000 : 900)));
    left -= text.length;
    const first = 1 + random.below(500);
    const count = text.split('\n').length;
    pieces.push({
      source: random.pick(['core/a.ts', 'src/deep/er/path/to/file.py', 'memory:fact', 'README.md']) ?? '',
      lines: random.chance(0.8) ? { first, last: first + count - 1 } : undefined,
      score: random.chance(0.3) ? 1 : random.next() * 10,
      reason: 'found by words',
      text,
      lasting: random.chance(0.15),
      repeats: said > 0 && random.chance(0.15) ? random.below(said) : undefined,
    });
    if (random.chance(0.03)) pieces.push(pieces[random.below(pieces.length)] as Piece);
  }
  return pieces;
}
