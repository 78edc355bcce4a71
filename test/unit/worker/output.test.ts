// Text is gathered: the first at once, then what has come every 40 ms, one send at a time, no character cut, nothing lost or doubled.
import { expect, test } from 'vitest';
import { createOutput, type OutputText } from '../../../services/worker/output.ts';
import { createFakeClock, settle } from '../../helpers/clock.ts';
import { createRandom } from '../../helpers/random.ts';

const bytes = (text: string): number => new TextEncoder().encode(text).length;

function setUp(send: () => Promise<boolean> = () => Promise.resolve(true), maxBytes = 1_000) {
  const clock = createFakeClock();
  const sent: [number, OutputText][] = [];
  const full: number[] = [];
  const output = createOutput({
    ...{ clock, maxBytes },
    onFull: () => void full.push(clock.monotonic()),
    send: (text) => {
      sent.push([clock.monotonic(), text]);
      return send();
    },
  });
  const text = (): string => sent.map(([, piece]) => piece.text).join('');
  return { clock, sent, full, output, text };
}

test('the first goes at once, the rest every 40 ms, each behind the one before', async () => {
  const { clock, sent, output } = setUp();
  for (const piece of ['a', 'é', '\u{1F600}', 'd', 'e']) {
    output.give(piece);
    await clock.advance(20);
  }
  await output.flush();
  expect(sent).toEqual([
    [0, { at: 0, text: 'a' }],
    [40, { at: 1, text: 'é' }],
    [80, { at: 3, text: '\u{1F600}d' }],
    [100, { at: 8, text: 'e' }],
  ]);
  output.give('too late');
  await clock.advance(1_000);
  expect([sent.length, clock.waiting]).toEqual([4, 0]);
});

test('while one is under way the others wait, and the flush waits for all', async () => {
  const gate = Promise.withResolvers<boolean>();
  const { clock, sent, output, text } = setUp(() => gate.promise);
  output.give('1');
  await clock.advance(1_000);
  for (const piece of ['2', '3']) output.give(piece);
  let flushed = false;
  const flush = output.flush().then(() => {
    flushed = true;
  });
  await settle();
  expect([sent.length, flushed]).toEqual([1, false]);
  gate.resolve(true);
  await flush;
  expect([text(), sent.length]).toEqual(['123', 2]);
});

test('the halves of a character go together, and a half without the other is none', async () => {
  const { clock, sent, output } = setUp();
  output.give('x\uD83D');
  await clock.advance(50);
  output.give('\uDE00y');
  await clock.advance(50);
  output.give('\uDE00z\uD83D');
  await output.flush();
  expect(sent.map(([, piece]) => piece)).toEqual([
    { at: 0, text: 'x' },
    { at: 1, text: '\u{1F600}y' },
    { at: 6, text: '\uFFFDz' },
    { at: 10, text: '\uFFFD' },
  ]);
});

test('beyond its bound it is cut where a character ends, told once, and what is before goes', async () => {
  const { clock, full, output, text } = setUp(undefined, 10);
  output.give('12345678');
  output.give('9\u{1F600}');
  output.give('more');
  await clock.advance(100);
  output.give('x');
  await output.flush();
  expect([text(), full]).toEqual(['123456789', [0]]);
});

test('a send that says so ends it', async () => {
  const { clock, sent, output } = setUp(() => Promise.resolve(false));
  output.give('a');
  output.give('b');
  await clock.advance(100);
  output.give('c');
  await output.flush();
  expect(sent).toHaveLength(1);
});

test('closed, it drops what waits', async () => {
  const { clock, sent, output } = setUp();
  output.give('a');
  await settle();
  output.give('b');
  output.close();
  await clock.advance(1_000);
  expect([sent.length, clock.waiting]).toEqual([1, 0]);
});

test.each([1, 2, 3])('any text in any pieces arrives whole, seed %i', async (seed) => {
  const random = createRandom(seed);
  const alphabet = ['a', 'é', '\u2028', '\u{1F600}', '\u{10FFFF}', 'z'.repeat(5_000), '\n'];
  const whole = Array.from({ length: 500 }, () => random.pick(alphabet)).join('');
  const { clock, sent, output, text } = setUp(undefined, 2 ** 24);
  for (let from = 0; from < whole.length; ) {
    // Cut anywhere, through characters as well.
    const length = 1 + random.below(random.chance(0.1) ? 200_000 : 50);
    output.give(whole.slice(from, from + length));
    from += length;
    if (random.chance(0.3)) await clock.advance(random.below(60));
  }
  await output.flush();
  expect(text() === whole).toBe(true);
  let at = 0;
  for (const [, piece] of sent) {
    expect([piece.at, piece.text.isWellFormed(), piece.text.length <= 2 ** 16]).toEqual([at, true, true]);
    at += bytes(piece.text);
  }
});
