// Facts: sentences of a log that state something to go by, and where they were said. They are found by their form, without a model, in
// English alone; what is missed is still in the log, and is recalled from there. A later sentence about the same thing takes the place of
// an earlier one: what counts is what was said last.
import type { Entry } from './entry.ts';
import { termsOfSpeech } from './speech.ts';

export interface Fact {
  /** The entry that says it. */
  readonly number: number;
  readonly text: string;
  readonly ts: number;
  readonly job: string;
  /** What it is about: terms in order, each once; empty: nothing takes its place. */
  readonly subject: string;
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
  if (entry.role === 'fact') return [{ ...about, text: content, subject: subjectOf(content), how: 'noted' }];
  if (entry.role !== 'user') return [];
  const facts: Fact[] = [];
  for (const text of sentencesOf(content)) {
    if (facts.length === mostFacts) break;
    const told = TOLD.exec(text)?.[1];
    if (told !== undefined && told.trim() !== '') {
      facts.push({ ...about, text, subject: subjectOf(told), how: 'told' });
    } else if (
      STATES.test(text) &&
      !/^(if|when|what|which|who|why|how|where|is|are|do|does|can|could|should)\b/i.test(text)
    ) {
      facts.push({ ...about, text, subject: subjectOf(text), how: 'said' });
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

const LEAD = /^(?:(?:actually|by the way|also|and|no|correction|from now on|now|please)[,:]? )+/i;

function subjectOf(text: string): string {
  const said = text.replace(LEAD, '');
  const verb = VERB.exec(said);
  if (verb === null) return '';
  const before = said.slice(0, verb.index).trim();
  // "I live in Rome", "we use Postgres": who and the verb are what the next sentence of its kind is about.
  if (/^(?:i|we|i['’]m|we['’]re)$/i.test(before)) {
    const word = verb[0].toLowerCase();
    return /^(?:live|moved|called|named)$/.test(word)
      ? `${before.toLowerCase()} ${word === 'moved' ? 'live' : word}`
      : '';
  }
  const whose = /^(my|our|his|her|their)\b/i.exec(before)?.[1]?.toLowerCase() ?? '';
  const terms = [...new Set(termsOfSpeech(before.replace(/^(?:my|our|the|this|that|his|her|their|its)\b/i, '')))];
  return terms.length === 0 ? '' : [whose, ...terms].join(' ').trim();
}

function sentencesOf(text: string): string[] {
  return text
    .replaceAll(/```[\s\S]*?(?:```|$)/g, '\n')
    .split(/\n+|(?<=[.!?…])\s+(?=["'“(]?\p{L})/u)
    .map((sentence) => sentence.replace(/^[\s\-*•>]+/, '').trim())
    .filter((sentence) => sentence !== '' && sentence.length <= mostLength && !sentence.endsWith('?'));
}

/** A list of facts of which the later ones take the place of earlier ones, as of any point of the log. */
export interface FactList {
  /** Of entries in the order of the log. */
  add(entry: Entry): void;
  /** Those that hold when entries from `first` to before `before` are all there is, in their order. */
  hold(first: number, before: number): readonly Fact[];
}

export function createFactList(): FactList {
  const facts: { readonly fact: Fact; until: number }[] = [];
  const latest = new Map<string, { until: number }>();
  return {
    add(entry) {
      for (const fact of factsOf(entry)) {
        const kept = { fact, until: Number.POSITIVE_INFINITY };
        if (fact.subject !== '') {
          const before = latest.get(fact.subject);
          if (before !== undefined) before.until = fact.number;
          latest.set(fact.subject, kept);
        }
        facts.push(kept);
      }
    },
    hold: (first, before) =>
      facts
        .filter(({ fact, until }) => fact.number >= first && fact.number < before && until >= before)
        .map(({ fact }) => fact),
  };
}
