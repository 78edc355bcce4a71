// Texts of every kind that a window may meet, from a seed.
import type { Random } from '../random.ts';

const words = `the quick brown fox jumps over a lazy dog while functions return promises Überraschung naïve façade
  don't it's we'll I'VE they're größer señor ação информация система Ελληνικά עברית العربية हिन्दी ไทย 한국어 日本語 漢字 中文测试
  x1y2 snake_case camelCase PascalCase SCREAMING_CASE 3.14159 1,000,000 https://example.com/a?b=c&d=%20 foo::bar <div> </div>
  e\u0301te\u0301 ﬁ ſtraße K Å İstanbul ǅ`.split(/\s+/);
const emoji = [
  '😀',
  '👨‍👩‍👧‍👦',
  '🏳️‍🌈',
  '👍🏽',
  '🇩🇪',
  '❤️',
  '🧑🏿‍🚀',
  '☕',
  '…',
  '—',
  '“',
  '”',
  '\u200d',
  '\ufe0f',
  '\ufeff',
  '\u0085',
  '\u00a0',
  '\u3000',
];
const specials = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|fim_prefix|>',
  '<|endofprompt|>',
  '<|start|>',
  '[cut]',
  '\ud800',
  '\udc00',
  '\u0000',
];
const base64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const codeLines = [
  'export function add(a: number, b: number): number {',
  '  return a + b;',
  '}',
  '',
  '\t\tif (x !== undefined && y?.z[0] === `t${i}`) continue;',
  "import { readFile } from 'node:fs/promises';",
  '    for (let i = 0; i < list.length; i++) total += list[i] ?? 0;',
  '# comment with  two spaces   ',
  'def __init__(self, *args, **kwargs):',
  "SELECT a.id, COUNT(*) FROM jobs a WHERE a.state = 'DONE' GROUP BY 1;",
  '//////////////////////////////////////////////////////////////////////',
  '{"key": [1, 2, 3.5e-7, null, true], "other": "va\\"lue"}\r',
];

const kinds = { prose: 8, code: 8, emoji: 2, cjk: 2, base64: 2, run: 1, noise: 1, special: 2, mixed: 4 } as const;

/** A text of about so many characters. */
export function randomText(random: Random, length: number): string {
  const kind = random.weighted(kinds);
  let text = '';
  const one = oneOf(kind, random);
  while (text.length < length) text += one();
  return text;
}

/** The next bit of a text of that kind. */
function oneOf(kind: keyof typeof kinds, random: Random): () => string {
  const pick = (list: readonly string[]): string => random.pick(list) ?? '';
  switch (kind) {
    case 'prose':
      return () => pick(words) + pick([' ', ' ', ' ', ' ', ' ', ', ', '. ', '.\n', '\n\n', '  ', ' - ']);
    case 'code':
      return () => `${pick(codeLines)}\n`;
    case 'emoji':
      return () => pick(emoji) + pick(['', '', ' ', pick(words)]);
    case 'cjk':
      return () =>
        String.fromCodePoint(0x4e00 + random.below(0x5000)) + pick(['', '', '', '', '', '', '。', '，', '\n']);
    case 'base64':
      return () => base64[random.below(base64.length)] ?? '';
    case 'run': {
      const unit = pick(['a', 'A', ' ', '\n', '!', '\t', '=', '7', 'ab', '\u0301', 'aA', ' \n']);
      return () => unit;
    }
    case 'noise':
      return () => String.fromCodePoint(random.chance(0.7) ? random.below(0x3000) : random.below(0x110000));
    case 'special':
      return () => pick(specials) + pick([' ', '', '\n', pick(words)]);
    case 'mixed': {
      const others = Object.keys(kinds).filter((name) => name !== 'mixed' && name !== 'run') as (keyof typeof kinds)[];
      const bits = others.map((name) => oneOf(name, random));
      return () => (random.pick(bits) ?? bits[0] ?? String)();
    }
  }
}
