// Random files, random edits, and git's diff of them broken as models break diffs: what comes out is exactly the edited file, or nothing.
import { describe, expect, test } from 'vitest';
import { createRandom, type Random } from '../../helpers/random.ts';
import { long } from '../../helpers/long.ts';
import { applied, codeRig, diffBetween, submits } from '../../helpers/workers/code.ts';
import { fileAfter } from '../../../services/worker/code/patch.ts';

const path = 'src/some file.ts';
/** Many lines come again, some look like a diff, a fence or a head. */
const words = [
  ...[
    '',
    '',
    '}',
    '  }',
    'return x;',
    '    return x;',
    '\treturn y;',
    '- item',
    '+ item',
    '-- a/x',
    '++ b/x',
    '@@ -1 +1 @@',
  ],
  ...[
    '```',
    '```diff',
    ' lead',
    'trail  ',
    'diff --git a/x b/x',
    '\\ No newline',
    'ünïcödé 🎉',
    '--- a/x',
    '+++ b/x',
    '#',
  ],
];

interface Case {
  readonly before: string;
  readonly after: string;
}

function someCase(random: Random, { distinct }: { distinct: boolean }): Case {
  const eol = random.chance(0.3) ? '\r\n' : '\n';
  let n = 0;
  const line = (): string => {
    const word = random.pick(words) ?? '';
    return distinct ? `${word}#${n++}` : word;
  };
  const lines = Array.from({ length: random.below(40) }, line);
  const edited = [...lines];
  for (let edits = 1 + random.below(4); edits > 0; edits--) {
    const added = Array.from({ length: random.below(3) }, line);
    edited.splice(random.below(edited.length + 1), random.below(3), ...added);
  }
  const text = (all: readonly string[], ended: boolean): string =>
    all.length === 0 ? '' : all.join(eol) + (ended ? eol : '');
  const ended = random.chance(0.8);
  return { before: text(lines, ended), after: text(edited, random.chance(0.9) ? ended : !ended) };
}

type Damage = (diff: string, random: Random) => string;

const counts: Damage = (diff, random) =>
  diff.replaceAll(/^@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@.*$/gm, (_all, old: string, _a, fresh: string) => {
    const some = (): string => (random.chance(0.2) ? '' : `,${random.below(12)}`);
    return `@@ -${old}${some()} +${random.chance(0.5) ? fresh : random.below(99)}${some()} @@`;
  });
const numbers: Damage = (diff, random) =>
  diff.replaceAll(/^@@ -.*$/gm, () => random.pick(['@@', '@@ ... @@', '@@ -,+ @@', '@@ function x() {']) ?? '@@');
const heads: Damage = (diff, random) => {
  const body = diff.slice(diff.indexOf('@@'));
  const forms = [
    '',
    `--- ${path}\n+++ ${path}\n`,
    `--- a/${path}\t2026-01-01 00:00:00\n+++ b/${path}\t2026-01-01 00:00:00\n`,
    `--- "a/${path}"\n+++ "b/${path}"\n`,
    `--- i/${path}\n+++ w/${path}\n`,
    `Here it is:\n\ndiff --git a/${path} b/${path}\n`,
    `*** Begin Patch\n*** Update File: ${path}\n`,
  ];
  return (random.pick(forms) ?? '') + body;
};
const blanks: Damage = (diff, random) =>
  diff.replaceAll(/^ (.*?)[ \t]*(\r?)$/gm, (all, text: string, cr: string) =>
    random.chance(0.5) ? all : text === '' ? cr : ` ${text}${random.pick(['', ' ', '\t'])}${cr}`,
  );
const transport: Damage = (diff) => diff.replaceAll('\n', '\r\n');
const unended: Damage = (diff) => diff.replace(/\n$/, '');
/** Words behind it, some of which look like lines of it, most of them behind a blank line. */
const trailing: Damage = (diff, random) => {
  const some = ['+ item', '- item', '-', '+', '- }', '+return x;', 'Done.', '-- ', '', '* item'];
  const said = Array.from({ length: 1 + random.below(3) }, () => `${random.pick(some) ?? ''}\n`).join('');
  return `${diff}${random.chance(0.8) ? '\n' : ''}${said}`;
};
const indented: Damage = (diff) => diff.replaceAll(/^(?=.)/gm, '    ');

/** All lines of the file are different from each other: then even a diff without line numbers has one place to go. */
const kinds: Readonly<Record<string, { damages: readonly Damage[]; distinct: boolean; whole: boolean }>> = {
  nothing: { damages: [], distinct: false, whole: true },
  counts: { damages: [counts], distinct: false, whole: false },
  'heads and counts': { damages: [heads, counts], distinct: false, whole: false },
  heads: { damages: [heads], distinct: false, whole: true },
  blanks: { damages: [blanks], distinct: false, whole: true },
  'blanks and counts': { damages: [blanks, counts], distinct: false, whole: false },
  transport: { damages: [transport], distinct: false, whole: true },
  'transport and counts': { damages: [counts, transport], distinct: false, whole: false },
  'no line numbers': { damages: [numbers], distinct: true, whole: false },
  'no line numbers, heads and blanks': { damages: [numbers, heads, blanks], distinct: true, whole: false },
  indented: { damages: [indented], distinct: false, whole: true },
  'words behind it': { damages: [trailing], distinct: false, whole: false },
  'unended and counts': { damages: [counts, unended], distinct: false, whole: false },
};

const rounds = long ? 2_000 : 30;

describe.each(Object.entries(kinds))('a diff with broken %s', (_name, { damages, distinct, whole }) => {
  test('gives exactly the edited file, or is refused', { timeout: 600_000 }, () => {
    let given = 0;
    let tried = 0;
    for (let seed = 1; seed <= rounds; seed++) {
      const random = createRandom(seed);
      const { before, after } = someCase(random, { distinct });
      if (before === after) continue;
      let diff = diffBetween(path, before, after);
      for (const damage of damages) diff = damage(diff, random);
      tried++;
      const result = fileAfter({ diff }, { path, original: before });
      if (result.ok) {
        given++;
        expect({ seed, text: result.value, diff }).toEqual({ seed, text: after, diff });
      } else if (whole) expect({ seed, refused: result.error, diff }).toEqual({ seed, refused: undefined, diff });
    }
    // Most are mended, else the other half of the promise would be worth little.
    expect(given / tried).toBeGreaterThan(whole ? 0.99 : 0.6);
  });
});

/** A hunk of two changes as models write one: counts at random, blank lines without their mark, a line that is copied wrongly, words behind it. */
function copiedByHand(random: Random): Case & { readonly diff: string } {
  const length = 8 + random.below(12);
  const half = Math.floor(length / 2);
  const lines = Array.from({ length }, (_, i) => {
    const isBlank = random.chance(0.25);
    return isBlank ? '' : random.chance(0.15) ? '}' : `  line${i}(${random.below(9)});`;
  });
  const [first, second] = [random.below(half), half + random.below(length - half)];
  const replaced = [first, second].map((at) => (random.chance(0.7) ? at : -1));
  const edited = lines.flatMap((line, i) => {
    if (replaced.includes(i)) return [`  NEW${i};`];
    return i === first || i === second ? [line, `  ADDED${i};`] : [line];
  });
  const [from, to] = [Math.max(0, first - 3), Math.min(length, second + 4)];
  const loses = random.chance(0.6);
  const wrong = random.chance(0.4) ? from + random.below(to - from) : -1;
  const body = lines.slice(from, to).flatMap((line, k) => {
    const i = from + k;
    if (replaced.includes(i)) return [`-${line}${i === wrong && line !== '' ? 'x' : ''}`, `+  NEW${i};`];
    const copied = line === '' ? (loses ? '' : ' ') : ` ${line}${i === wrong ? 'x' : ''}`;
    return i === first || i === second ? [copied, `+  ADDED${i};`] : [copied];
  });
  const [old, fresh] = ['+', '-'].map((mark) => body.filter((line) => !line.startsWith(mark)).length);
  const some = (): number => 1 + random.below(body.length + 3);
  const same = some();
  // Often both are the same number, the one of all lines.
  const counts = random.chance(0.3) ? [old, fresh] : random.chance(0.5) ? [same, same] : [some(), some()];
  const said = random.chance(0.3)
    ? random.pick(['\n- made it better\n', '\n+ made it better\n', '\nThat is all.\n', '\n* done\n'])
    : '';
  const head = `--- a/${path}\n+++ b/${path}\n@@ -${from + 1},${counts[0]} +${from + 1},${counts[1]} @@\n`;
  const text = (all: readonly string[]): string => `${all.join('\n')}\n`;
  return { before: text(lines), after: text(edited), diff: `${head}${text(body)}${said ?? ''}` };
}

test('a hunk that was copied by hand gives exactly the edited file, or is refused', { timeout: 60_000 }, () => {
  let given = 0;
  const hands = long ? 6_000 : 600;
  for (let seed = 1; seed <= hands; seed++) {
    const { before, after, diff } = copiedByHand(createRandom(seed));
    const result = fileAfter({ diff }, { path, original: before });
    if (!result.ok) continue;
    given++;
    expect({ seed, text: result.value, diff }).toEqual({ seed, text: after, diff });
  }
  expect(given / hands).toBeGreaterThan(0.4);
});

test('the whole worker: its patch applies with plain git and gives the edited file', { timeout: 600_000 }, async () => {
  const all = [counts, heads, blanks, transport, unended];
  let given = 0;
  for (let seed = 1; seed <= (long ? 300 : 15); seed++) {
    const random = createRandom(seed);
    const { before, after } = someCase(random, { distinct: false });
    if (before === after) continue;
    let diff = diffBetween(path, before, after);
    for (const damage of all) if (random.chance(0.4)) diff = damage(diff, random);
    const { model, run } = codeRig();
    model.play(submits({ diff }), submits({ diff }));
    const settled = await run({ file_path: path, code_snippet: before, instruction: 'edit' }).then(
      (result) => ({ patch: result.patch.content }),
      (error: unknown) => ({ error }),
    );
    if ('error' in settled) expect(settled.error).toMatchObject({ code: 'internal' });
    else {
      given++;
      expect(applied(path, before, settled.patch)).toBe(after);
    }
  }
  expect(given).toBeGreaterThan(7);
});
