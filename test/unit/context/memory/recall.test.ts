// What a memory finds again: by words, by age, by what stands beside; as of any point; and the facts that hold.
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import type { Entry, EntryRole } from '#core/context/memory/entry.ts';
import { exchangesOf } from '#core/context/memory/entry.ts';
import { createRecall, type Recall } from '#core/context/memory/recall.ts';
import { rememberedFor } from '#core/context/memory/recalled-pieces.ts';
import { termsOfSpeech } from '#core/context/memory/speech.ts';

const day = 1_800_000_000;
const log = (...said: readonly (readonly [EntryRole, string])[]): Entry[] =>
  said.map(([role, content], number) => ({ number, role, content, ts: day + number, job: `j${number}` }));
const recallOf = (entries: readonly Entry[]): Recall => {
  const recall = createRecall();
  recall.add(entries);
  return recall;
};
const chat = (...turns: readonly (readonly [string, string])[]): Entry[] =>
  log(...turns.flatMap(([q, a]) => [['user', q] as const, ['assistant', a] as const]));
const found = (recall: Recall, text: string, before?: number): number[] =>
  recall.exchanges({ text, before, limit: 10 }).map(({ exchange }) => exchange.first);
const facts = (recall: Recall, text: string, before?: number): string[] =>
  recall.facts({ text, before, limit: 50 }).map(({ fact }) => fact.text);

describe('terms of speech', () => {
  test.each([
    ['Don’t “quote” me—ever', ['don', 'quote', 'me', 'ever']],
    [
      'the fileReader of parseHTTPHeader',
      ['filereader', 'file', 'reader', 'parsehttpheader', 'parse', 'http', 'header'],
    ],
    ['データベースの港', ['デー', 'ータ', 'タベ', 'ベー', 'ース', 'スの', 'の港']],
    ['猫', ['猫']],
    ['Größe der Straße', ['größe', 'der', 'straße']],
    ['', []],
  ])('%s', (text, terms) => expect(termsOfSpeech(text)).toEqual(terms));

  test('a run of half a million characters', () => {
    expect(termsOfSpeech('猫'.repeat(500_000))).toHaveLength(499_999);
  });
});

describe('exchanges', () => {
  test('an answer belongs to the question before it, facts to none', () => {
    const entries = log(
      ['assistant', 'hi'],
      ['user', 'a'],
      ['fact', 'f'],
      ['assistant', 'b'],
      ['user', 'c'],
      ['user', 'd'],
    );
    expect(exchangesOf(entries).map(({ first, last }) => [first, last])).toEqual([
      [0, 0],
      [1, 3],
      [4, 4],
      [5, 5],
    ]);
  });
});

describe('recall', () => {
  const small = chat(
    ['My dog is called Rex.', 'Nice!'],
    ['How do I boil eggs?', 'Seven minutes in hot water.'],
    ['What is a lease?', 'A promise with an end.'],
    ['And a fence?', 'A number that grows.'],
  );

  test('finds by the words of question and answer alike', () => {
    const recall = recallOf(small);
    expect(found(recall, 'what was the name of my dog?')[0]).toBe(0);
    expect(found(recall, 'how many minutes?')[0]).toBe(2);
    expect(found(recall, 'zebra')).toEqual([]);
    expect(recall.exchanges({ text: 'dog', limit: 10 })[0]?.reason).toBe('says dog; 6 entries ago');
  });

  test('what stands beside a hit comes behind it', () => {
    const [best, next] = recallOf(small).exchanges({ text: 'boil eggs', limit: 10 });
    expect([best?.exchange.first, next?.reason.startsWith('beside what says so')]).toEqual([2, true]);
    expect(next?.score).toBeLessThan(best?.score ?? 0);
  });

  test('of two that say the same the later comes first', () => {
    const turns = Array.from({ length: 60 }, (_, i) => [i % 30 === 0 ? 'the pool table' : `turn ${i}`, 'ok'] as const);
    expect(found(recallOf(chat(...turns)), 'pool').slice(0, 2)).toEqual([60, 0]);
  });

  test('numbers go on where the beginning was let go', () => {
    const recall = recallOf(small.slice(4));
    expect(found(recall, 'fence')[0]).toBe(6);
    expect(() => recall.add([{ ...(small[0] as Entry), number: 9 }])).toThrow(RangeError);
  });

  test('grown entry by entry or at once, seen now or from later: the same', () => {
    const words = fc.constantFrom('dog', 'cat', 'my dog is blue', 'we use Postgres', 'lease', 'what?', 'my cat is red');
    const said = fc.tuple(fc.constantFrom<EntryRole>('user', 'assistant', 'fact'), words);
    fc.assert(
      fc.property(fc.array(said, { maxLength: 30 }), fc.nat(30), words, (all, at, text) => {
        const entries = log(...all);
        const now = recallOf(entries.slice(0, at));
        const later = createRecall();
        for (const entry of entries) later.add([entry]);
        const count = Math.min(at, entries.length);
        expect(later.exchanges({ text, before: count, limit: 50 })).toEqual(now.exchanges({ text, limit: 50 }));
        expect(later.facts({ text, before: count, limit: 50 })).toEqual(now.facts({ text, limit: 50 }));
        expect(rememberedFor(later, { text, before: count })).toEqual(rememberedFor(now, { text }));
      }),
    );
  });
});

describe('facts', () => {
  test('are what the user states, told or noted; not what is asked, pasted or answered', () => {
    const recall = recallOf(
      log(
        ['user', 'My dog is called Rex. What should it eat? I live in Rome!'],
        ['assistant', 'Your dog is called Rex. The sky is green.'],
        ['user', 'Remember that the demo is on Friday.\n```\nthe port is 1\n```\nIf the build is red, call me.'],
        ['fact', 'Invoices go to Ann'],
        ['user', 'The staging database listens on port 5433. Is the production database the same?'],
      ),
    );
    expect(facts(recall, '').toSorted()).toEqual([
      'I live in Rome!',
      'Invoices go to Ann',
      'My dog is called Rex.',
      'Remember that the demo is on Friday.',
      'The staging database listens on port 5433.',
    ]);
    expect(facts(recall, 'on which port is the staging database?')[0]).toBe(
      'The staging database listens on port 5433.',
    );
    expect(recall.facts({ text: 'who gets invoices?', limit: 1 })[0]).toMatchObject({
      fact: { number: 3, job: 'j3', how: 'noted' },
      reason: 'a fact that was noted; says invoice',
    });
  });

  test('of two things that are said of one the later comes first, and neither is lost', () => {
    const recall = recallOf(
      log(
        ['user', 'My dog is called Rex.'],
        ['user', 'My dog is three years old.'],
        ['user', 'My dog has a red collar.'],
        ['fact', 'Backups are kept in Oslo'],
        ['fact', 'Backups are encrypted with age'],
      ),
    );
    expect(facts(recall, 'dog').slice(0, 3).toSorted()).toEqual([
      'My dog has a red collar.',
      'My dog is called Rex.',
      'My dog is three years old.',
    ]);
    expect(facts(recall, 'where are backups kept?')[0]).toBe('Backups are kept in Oslo');
    const [later, earlier] = recallOf(
      log(['user', 'Our port is 80.'], ['user', 'Our port is 81.'], ['user', 'Nothing else.']),
    ).facts({ text: 'port', limit: 5 });
    expect([later?.fact.text, earlier?.reason]).toEqual([
      'Our port is 81.',
      'a fact that the user said; says port; something later is said about the same',
    ]);
  });

  test('a correction takes the place of what was said before about the same thing', () => {
    const recall = recallOf(
      log(
        ['user', 'My favourite colour is blue.'],
        ['user', 'Our favourite colour is red.'],
        ['user', 'Actually, my favourite colour is green.'],
        ['user', 'I live in Rome.'],
        ['user', 'I moved to Oslo.'],
      ),
    );
    expect(facts(recall, 'colour').slice(0, 2)).toEqual([
      'Actually, my favourite colour is green.',
      'Our favourite colour is red.',
    ]);
    expect(facts(recall, 'where?')).toContain('I moved to Oslo.');
    expect(facts(recall, 'where?')).not.toContain('I live in Rome.');
    // As it was before that was said.
    expect(facts(recall, 'colour', 2)).toContain('My favourite colour is blue.');
  });
});

test('a memory as part of a window: history, facts and exchanges with where they are from', () => {
  const entries = chat(['My dog is called Rex.', 'Noted.'], ['Hello', 'Hi']);
  const { history, pieces } = rememberedFor(recallOf(entries), { text: 'my dog?' });
  expect(history.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
  expect(pieces.map(({ source, text, repeats }) => [source, text, repeats])).toEqual([
    ['memory 0, 2027-01-15', 'My dog is called Rex.', 0],
    ['memory 0-1, 2027-01-15', 'user: My dog is called Rex.\nassistant: Noted.', 0],
    ['memory 2-3, 2027-01-15', 'user: Hello\nassistant: Hi', 2],
  ]);
  expect((pieces[0]?.score ?? 0) > (pieces[1]?.score ?? 0)).toBe(true);
});
