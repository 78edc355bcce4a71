// What job.test.talk says, by its prompt: a part of the test knows it as well as the worker does.
import { createRandom } from '../random.ts';

const words = ['a', 'lease', ' ', '\n', 'é', '\u2028', '\u{1F600}', '"quoted"', '\u{10FFFF}', 'data: x\n\n', '\u0000'];

/** `words` many small pieces, some cut through a character; `large` close to a MiB; `times` pieces that are the time when they are given. */
export function piecesOf(prompt: string): readonly string[] {
  const random = createRandom(11);
  if (prompt.includes('times')) return Array.from({ length: 40 }, () => 'now');
  if (prompt.includes('large')) return Array.from({ length: 100 }, (_, i) => `${i}:${'xé\u{1F600}'.repeat(1_400)}\n`);
  const whole = Array.from({ length: 4_000 }, () => random.pick(words) ?? '').join('');
  const pieces: string[] = [];
  for (let from = 0; from < whole.length; ) {
    const length = 1 + random.below(12);
    pieces.push(whole.slice(from, from + length));
    from += length;
  }
  return pieces;
}
