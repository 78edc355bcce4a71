// Facts: sentences of a log that state something to go by, and where they were said. They are found by their form, without a model, in
// English alone; what is missed is still in the log, and is recalled from there. A sentence that corrects ("actually", "no", "from now on")
// takes the place of an earlier one about the same; one that does not may as well say something else of it, and stands before it.
import type { Entry } from './entry.ts';
import { termsOfSpeech } from './speech.ts';
import { createTermIndex } from './term-index.ts';

export interface Fact {
  /** The entry that says it. */
  readonly number: number;
  readonly text: string;
  readonly ts: number;
  readonly job: string;
  /** What it is about, and what it says of it (is, has, lives ...); empty: nothing takes its place. */
  readonly subject: string;
  /** It says that what was said before is not so. */
  readonly corrects: boolean;
  /** How it became one. */
  readonly how: 'noted' | 'told' | 'said';
}

/** Characters of a sentence that may be a fact: more is a story. */
const mostLength = 300;

/** Facts of one entry. */
const mostFacts = 50;

/** Facts that an entry states: a `fact` as it stands, and sentences of the user's; a model's words are none. */
export function factsOf(entry: Entry): Fact[] {
  const { number, ts, job, content } = entry;
  const about = { number, ts, job };
  if (entry.role === 'fact') return [{ ...about, text: content, subject: '', corrects: false, how: 'noted' }];
  if (entry.role !== 'user') return [];
  const facts: Fact[] = [];
  for (const text of sentencesOf(content)) {
    if (facts.length === mostFacts) break;
    const told = TOLD.exec(text)?.[1];
    if (told !== undefined && told.trim() !== '') {
      facts.push({ ...about, text, subject: subjectOf(told), corrects: doesCorrect(told), how: 'told' });
    } else if (
      STATES.test(text) &&
      !/^(if|when|what|which|who|why|how|where|is|are|do|does|can|could|should)\b/i.test(text)
    ) {
      facts.push({ ...about, text, subject: subjectOf(text), corrects: doesCorrect(text), how: 'said' });
    }
  }
  return facts;
}

/** What is to be kept by word of the user's. */
const TOLD =
  /^(?:please,? )?(?:remember|note|keep in mind|don['’]t forget|for the record)\b[,:]?(?: that)?[,:]? (.+)$/i;

/** Who or what, then what is so. */
const STATES = new RegExp(
  `^(?:(?:actually|by the way|also|and|no|correction|from now on|now)[,:]? )*(?:(?:i|we)(?:['’](?:m|re|ve))? (?:am |are |have |also |always |never |usually |now |only |really )*` +
    `(?:called|named|born|from|like|love|prefer|hate|use|live|work|own|have|need|want|moved|switched|decided|agreed|speak|run|deploy|am|are|allergic|vegetarian|\\w+ing|a|an|the|in|on|at)\\b` +
    `|(?:my|our|the|this|that|his|her|their|its)(?: [\\w'’./-]+){1,8} (?:is|are|was|were|has|have|must|should|runs?|lives?|listens?|uses?|needs?|starts?|ends?|expires?|belongs?|stands?|costs?|means?)\\b` +
    `|(?:it|that|this)(?:['’]s| is) (?:now|called|named)\\b|call me\\b|[A-Z][\\w.-]+(?: [A-Z][\\w.-]+){0,2} (?:is|was|has|owns|uses|lives|works|must|should)\\b)`,
  'i',
);

/** The words before what is so; what comes behind may differ the next time. */
const VERB =
  /\b(?:is|are|was|were|am|has|have|had|must|should|runs?|lives?|listens?|uses?|needs?|starts?|ends?|expires?|belongs?|stands?|costs?|means?|prefer|like|love|hate|use|live|work|moved|switched|called|named)\b/i;

const LEAD = /^(?:(?:actually|correction|no|from now on|now)\b[,:]? )+/i;
const FILLER = /^(?:(?:actually|by the way|also|and|no|correction|from now on|now|please)\b[,:]? )+/i;

/** By what stands before it, or by what it says: who has moved lives elsewhere now. */
function doesCorrect(text: string): boolean {
  return LEAD.test(text) || /^(?:i|we)(?:['’]ve| have)? (?:moved|switched)\b/i.test(text.replace(FILLER, ''));
}

function subjectOf(text: string): string {
  const said = text.replace(FILLER, '');
  const verb = VERB.exec(said);
  if (verb === null) return '';
  const before = said.slice(0, verb.index).trim();
  const word = verb[0].toLowerCase().replace(/^(?:are|was|were|am)$/, 'is');
  // "I live in Rome" and "I moved to Oslo" are about the same, as "it is called" and "it is named".
  const what = word === 'moved' ? 'live' : word;
  const called = /^\s*(?:called|named)\b/i.test(said.slice(verb.index + verb[0].length)) ? ' called' : '';
  if (/^(?:i|we|i['’]m|we['’]re)$/i.test(before)) return `${before.toLowerCase()} ${what}${called}`;
  const whose = /^(my|our|his|her|their)\b/i.exec(before)?.[1]?.toLowerCase() ?? '';
  const terms = [...new Set(termsOfSpeech(before.replace(/^(?:my|our|the|this|that|his|her|their|its)\b/i, '')))];
  return terms.length === 0 ? '' : [whose, ...terms, what].join(' ').trim() + called;
}

function sentencesOf(text: string): string[] {
  return text
    .replaceAll(/```[\s\S]*?(?:```|$)/g, '\n')
    .split(/\n+|(?<=[.!?…])\s+(?=["'“(]?\p{L})/u)
    .map((sentence) => sentence.replace(/^[\s\-*•>]+/, '').trim())
    .filter((sentence) => sentence !== '' && sentence.length <= mostLength && !sentence.endsWith('?'));
}

export interface HeldFact {
  readonly fact: Fact;
  /** Something was said later about the same, which may be another matter. */
  readonly outdated: boolean;
}

/** The facts of a log, as of any point of it. */
export interface FactList {
  /** Of what is kept for looking them up. */
  readonly bytes: number;
  /** Of entries in the order of the log. */
  add(entry: Entry): void;
  /** Those that hold when entries from `first` to before `before` are all there is, by their numbers and in their order. */
  hold(first: number, before: number): ReadonlyMap<number, HeldFact>;
  /** Numbers of those that say the term. */
  having(term: string): readonly number[];
}

interface KeptFact {
  readonly fact: Fact;
  /** Of the first entry that corrects it, and of the next one about the same. */
  correctedAt: number;
  outdatedAt: number;
}

export function createFactList(): FactList {
  const facts: KeptFact[] = [];
  const bySubject = new Map<string, KeptFact[]>();
  const terms = createTermIndex();
  return {
    get bytes() {
      return terms.bytes + 300 * facts.length;
    },
    add(entry) {
      for (const fact of factsOf(entry)) {
        const kept = { fact, correctedAt: Number.POSITIVE_INFINITY, outdatedAt: Number.POSITIVE_INFINITY };
        if (fact.subject !== '') {
          const before = bySubject.get(fact.subject) ?? [];
          const last = before.at(-1);
          if (last !== undefined) last.outdatedAt = fact.number;
          if (fact.corrects) for (const old of before.splice(0)) old.correctedAt = fact.number;
          before.push(kept);
          bySubject.set(fact.subject, before);
        }
        facts.push(kept);
        terms.add(termsOfSpeech(fact.text));
      }
    },
    hold(first, before) {
      const held = new Map<number, HeldFact>();
      for (const [number, { fact, correctedAt, outdatedAt }] of facts.entries()) {
        if (fact.number < first || correctedAt < before) continue;
        if (fact.number >= before) break;
        held.set(number, { fact, outdated: outdatedAt < before });
      }
      return held;
    },
    having(term) {
      const found: number[] = [];
      terms.each(term, terms.size, (fact) => found.push(fact));
      return found.toReversed();
    },
  };
}
