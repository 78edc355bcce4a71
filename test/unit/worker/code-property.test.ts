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
