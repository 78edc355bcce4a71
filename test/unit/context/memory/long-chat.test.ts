// A chat of 200 turns whose facts are asked for at the end, in windows that hold a tenth of it: with the memory and without. What counts is
// whether the answer stands in the window; what a model makes of it is not our doing.
import { beforeAll, expect, test } from 'vitest';
import { loadTokenizer } from '#core/context/load-tokenizer.ts';
import type { Entry } from '#core/context/memory/entry.ts';
import { createRecall } from '#core/context/memory/recall.ts';
import { rememberedFor } from '#core/context/memory/recalled-pieces.ts';
import type { Tokenizer } from '#core/context/tokens.ts';
import { buildWindow } from '#core/context/window.ts';
import { unwrap } from '#core/result.ts';
import { createRandom } from '../../../helpers/random.ts';

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer('gpt-4o');
});

interface Told {
  readonly said: string;
  readonly asked: string;
  readonly answer: string;
}

/** What somebody says in passing, how it is asked for 100 turns later, and what must be there then. */
const facts: readonly Told[] = [
  { said: 'My dog is called Rex, by the way.', asked: 'What is the name of my dog?', answer: 'Rex' },
  { said: 'The staging database listens on port 5433.', asked: 'Which port has the staging database?', answer: '5433' },
  {
    said: 'Our release train leaves on Thursdays.',
    asked: 'On what day does the release train leave?',
    answer: 'Thursdays',
  },
  { said: 'I am allergic to walnuts.', asked: 'Am I allergic to anything?', answer: 'walnuts' },
  { said: 'Invoices are approved by Marta Lindqvist.', asked: 'Who approves invoices?', answer: 'Lindqvist' },
  { said: 'We deploy to eu-north-1 only.', asked: 'To which region do we deploy?', answer: 'eu-north-1' },
  {
    said: 'The budget for the offsite is 14,200 euros.',
    asked: 'How large is the budget of the offsite?',
    answer: '14,200',
  },
  { said: 'My sister Ines lives in Coimbra.', asked: 'Where does my sister live?', answer: 'Coimbra' },
  {
    said: 'The lease of a worker is renewed every 1200 ms here.',
    asked: 'How often is a lease renewed?',
    answer: '1200',
  },
  { said: 'Remember that the demo account is demo-77.', asked: 'Which demo account should I use?', answer: 'demo-77' },
  { said: 'The flaky test is in shard nine.', asked: 'In which shard is the flaky test?', answer: 'nine' },
  {
    said: 'Our style guide forbids the word simply.',
    asked: 'What word does the style guide forbid?',
    answer: 'simply',
  },
  { said: 'The office plant is a ficus named Olaf.', asked: 'What is the office plant?', answer: 'ficus' },
  {
    said: 'The vendor contract expires in March 2031.',
    asked: 'When does the vendor contract expire?',
    answer: '2031',
  },
  { said: 'My favourite editor is Helix.', asked: 'Which editor is my favourite?', answer: 'Helix' },
  {
    said: 'The backup passphrase hint is tangerine.',
    asked: 'What is the hint for the backup passphrase?',
    answer: 'tangerine',
  },
  { said: 'Paging goes to the team Basalt at night.', asked: 'Which team is paged at night?', answer: 'Basalt' },
  {
    said: 'The parser chokes on tabs in column seven.',
    asked: 'Where do tabs make the parser choke?',
    answer: 'seven',
  },
  { said: 'Our mascot is a heron.', asked: 'What is our mascot?', answer: 'heron' },
  { said: '会議室の鍵は受付にあります。', asked: '会議室の鍵はどこ?', answer: '受付' },
];

/** The rest of a chat about many things, in the words of the trade. */
const subjects = [
  'queues',
  'indexes',
  'the scheduler',
  'retries',
  'caching',
  'a migration',
  'logging',
  'the parser',
  'metrics',
  'tests',
];
const doings = [
  'slow',
  'hard to read',
  'flaky on Mondays',
  'larger than it was',
  'in need of a name',
  'odd',
  'quite good now',
];

function longChat(): { readonly entries: readonly Entry[]; readonly at: ReadonlyMap<Told, number> } {
  const random = createRandom(200);
  const places = new Map<number, Told>();
  for (const [i, fact] of facts.entries()) places.set(5 + i * 9, fact);
  const entries: Entry[] = [];
  const at = new Map<Told, number>();
  const say = (role: 'user' | 'assistant', content: string): void => {
    entries.push({ number: entries.length, role, content, ts: 1_800_000_000 + entries.length * 60, job: '' });
  };
  for (let turn = 0; turn < 200; turn++) {
    const [one, two] = [random.pick(subjects), random.pick(subjects)];
    const filler = `Why would ${one} be ${random.pick(doings)} after we changed ${two} in sprint ${turn}?`;
    const fact = places.get(turn);
    if (fact !== undefined) at.set(fact, entries.length);
    say('user', fact === undefined ? filler : `${filler} ${fact.said}`);
    say(
      'assistant',
      `About ${one} and ${two}: ${'measure first, then change one thing at a time. '.repeat(2 + random.below(6))}`,
    );
  }
  return { entries, at };
}

test('facts of long ago stand in the window with the memory, and not without', () => {
  const { entries } = longChat();
  const recall = createRecall();
  recall.add(entries);
  const history = rememberedFor(recall, { text: '' }).history;
  const whole = tokenizer.prompt(history);
  const found = { with: 0, without: 0 };
  const missed: string[] = [];
  let tokens = 0;
  for (const { asked, answer } of facts) {
    const budget = { maxInputTokens: 2_000, historyShare: 0.6 };
    const remembered = rememberedFor(recall, { text: asked });
    const windowOf = (pieces: typeof remembered.pieces) =>
      unwrap(buildWindow({ system: [], history, pieces, user: asked, budget }, tokenizer));
    const holds = (window: ReturnType<typeof windowOf>): boolean =>
      window.messages.slice(0, -1).some(({ content }) => content.includes(answer));
    const remembering = windowOf(remembered.pieces);
    tokens += remembering.inputTokens;
    if (holds(remembering)) found.with++;
    else missed.push(asked);
    if (holds(windowOf([]))) found.without++;
  }
  // A tenth of the chat fits, and it is used.
  expect(whole).toBeGreaterThan(15_000);
  expect(tokens / facts.length).toBeGreaterThan(1_940);
  expect(missed).toEqual([]);
  expect(found.with).toBe(facts.length);
  expect(found.without).toBeLessThanOrEqual(3);
});

test('of what was corrected the window has the last word first', () => {
  const { entries } = longChat();
  const recall = createRecall();
  recall.add(entries);
  const next = entries.length;
  const correction = 'Correction: the staging database listens on port 6001.';
  recall.add([{ number: next, role: 'user', content: correction, ts: 1_900_000_000, job: '' }]);
  const [first] = recall.facts({ text: 'Which port has the staging database?', limit: 10 });
  expect(first?.fact.text).toBe(correction);
  const held = recall.facts({ text: 'staging database', limit: 500 }).map(({ fact }) => fact.text);
  expect(held.some((text) => text.includes('5433'))).toBe(false);
});
