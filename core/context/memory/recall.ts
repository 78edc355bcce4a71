// What of a log bears on a question: BM25 over its entries, the newer the better, and what stands beside a hit. It grows as the log does,
// and answers as of any point of it: a window of the past can be explained as it was.
import { idf, plain, saturate } from '../repo/bm25.ts';
import { type Entry, type Exchange, exchangesOf } from './entry.ts';
import { createFactList, type Fact } from './facts.ts';
import { termsOfSpeech } from './speech.ts';
import { createTermIndex } from './term-index.ts';

export interface Recalled {
  readonly exchange: Exchange;
  /** From 0 to 1, 1 being the best of this question. */
  readonly score: number;
  readonly reason: string;
}

export interface RecalledFact {
  readonly fact: Fact;
  readonly score: number;
  readonly reason: string;
}

export interface Question {
  readonly text: string;
  /** Entries from this number on are not there yet; undefined: all are. */
  readonly before?: number | undefined;
  /** Most exchanges. */
  readonly limit: number;
}

export interface Recall {
  /** The log from its oldest entry that is left. */
  readonly entries: readonly Entry[];
  /** What it takes of memory, about. */
  readonly bytes: number;
  /** Entries that follow what is there. Throws RangeError for a number out of turn. */
  add(entries: readonly Entry[]): void;
  /** Exchanges that bear on the question, best first; same log, same question, same answer. */
  exchanges(question: Question): readonly Recalled[];
  /** Facts that hold: those that bear on the question first, then the newest. */
  facts(question: Question): readonly RecalledFact[];
}

/** Entries after which an entry counts three quarters of what it would count at the end; in the long run it is a half. */
const halfAge = 40;

/** What an exchange gets of its neighbours' scores. */
const beside = 0.25;

/** Characters of a question that are read, and different terms of it. */
const mostText = 20_000;
const mostTerms = 200;

/** The b of BM25: an entry pays half for its length, since a long answer says more. */
const lengthShare = 0.5;

/** What a fact counts about whose subject something was said later. */
const outdatedShare = 0.6;

/** Facts that are given even if no word of theirs is asked for, and what the newest of them count. */
const newestFacts = 20;
const newestScore = 0.2;

export function createRecall(): Recall {
  const entries: Entry[] = [];
  const exchanges: Exchange[] = [];
  const said = createTermIndex();
  const facts = createFactList();
  let characters = 0;

  const first = (): number => entries[0]?.number ?? 0;

  function index(entry: Entry): void {
    entries.push(entry);
    characters += entry.content.length;
    facts.add(entry);
    said.add(entry.role === 'fact' ? [] : termsOfSpeech(entry.content));
  }

  /** Scores by entry, and what each has of the question. */
  function scores(text: string, count: number): { readonly score: Float64Array; readonly terms: readonly string[][] } {
    const score = new Float64Array(count);
    const terms: string[][] = Array.from({ length: count }, () => []);
    const average = said.lengthBefore(count) / Math.max(1, count) || 1;
    for (const [term, times] of countedTerms(text)) {
      let holding = 0;
      said.each(term, count, () => holding++);
      const worth = idf(count, holding) * saturate(times, 1, 1);
      said.each(term, count, (at, own) => {
        const lengthTerm = plain.k1 * (1 - lengthShare + (lengthShare * said.length(at)) / average);
        score[at] = (score[at] as number) + worth * saturate(own, lengthTerm, plain.k1);
        terms[at]?.push(term);
      });
    }
    return { score, terms };
  }

  return {
    entries,
    get bytes() {
      return 2 * characters + 300 * entries.length + said.bytes + facts.bytes;
    },
    add(more) {
      for (const entry of more) {
        const due = entries.at(-1);
        if (due !== undefined && entry.number !== due.number + 1)
          throw new RangeError(`entry ${entry.number} came where ${due.number + 1} was due`);
        index(entry);
      }
      // The last exchange may have got its answer.
      const open = exchanges.pop();
      const from = open === undefined ? 0 : open.first - first();
      for (const exchange of exchangesOf(entries.slice(from))) exchanges.push(exchange);
    },

    exchanges({ text, before = Number.POSITIVE_INFINITY, limit }) {
      const count = Math.min(entries.length, Math.max(0, before - first()));
      const { score, terms } = scores(text, count);
      const seen = exchangesBefore(exchanges, before);
      const own = seen.map(({ entries: said }) => {
        const of = said.map(({ number }) => number - first());
        const sum = of.reduce((total, at) => total + (score[at] as number), 0);
        const words = [...new Set(of.flatMap((at) => terms[at] ?? []))];
        return { worth: sum * recency(count - 1 - (of.at(-1) as number)), words };
      });
      const worth = own.map(({ worth: mine }, i) => {
        return mine + beside * Math.max(own[i - 1]?.worth ?? 0, own[i + 1]?.worth ?? 0);
      });
      const most = worth.reduce((a, b) => Math.max(a, b), 0);
      return seen
        .map((exchange, i): Recalled => {
          const words = own[i]?.words ?? [];
          const age = count + first() - 1 - exchange.last;
          const reason = words.length === 0 ? 'beside what says so' : `says ${words.slice(0, 6).join(', ')}`;
          return { exchange, score: (worth[i] as number) / most, reason: `${reason}; ${age} entries ago` };
        })
        .filter(({ score: mine }) => mine > 0)
        .sort((a, b) => b.score - a.score || b.exchange.first - a.exchange.first)
        .slice(0, limit);
    },

    facts({ text, before = Number.POSITIVE_INFINITY, limit }) {
      const held = facts.hold(first(), before);
      const worth = new Map<number, { sum: number; readonly words: string[] }>();
      for (const term of countedTerms(text).keys()) {
        const having = facts.having(term).filter((fact) => held.has(fact));
        for (const fact of having) {
          const own = worth.get(fact) ?? { sum: 0, words: [] };
          own.sum += idf(held.size, having.length);
          own.words.push(term);
          worth.set(fact, own);
        }
      }
      const most = Array.from(worth.values(), ({ sum }) => sum).reduce((a, b) => Math.max(a, b), 0) || 1;
      return [...held]
        .map(([number, { fact, outdated }], i): RecalledFact => {
          const { sum = 0, words = [] } = worth.get(number) ?? {};
          const newness = Math.max(0, 1 - (held.size - 1 - i) / newestFacts) * newestScore;
          const least = fact.how === 'said' ? newness : newestScore + newness;
          const score = Math.max(sum / most, least) * (outdated ? outdatedShare : 1);
          const why = words.length === 0 ? 'among the newest' : `says ${words.slice(0, 6).join(', ')}`;
          const was = outdated ? '; something later is said about the same' : '';
          return { fact, score, reason: `a fact ${howTold[fact.how]}; ${why}${was}` };
        })
        .filter(({ score }) => score > 0)
        .sort((a, b) => b.score - a.score || b.fact.number - a.fact.number)
        .slice(0, limit);
    },
  };
}

const howTold: Readonly<Record<Fact['how'], string>> = {
  noted: 'that was noted',
  told: 'that the user asked to remember',
  said: 'that the user said',
};

function recency(age: number): number {
  return 0.5 + 0.5 * 0.5 ** (age / halfAge);
}

function countedTerms(text: string): Map<string, number> {
  const times = new Map<string, number>();
  for (const term of termsOfSpeech(text.slice(0, mostText))) {
    if (times.size === mostTerms && !times.has(term)) break;
    times.set(term, (times.get(term) ?? 0) + 1);
  }
  return times;
}

/** Exchanges as they were: one whose answer was not there yet has its question alone. */
function exchangesBefore(all: readonly Exchange[], before: number): readonly Exchange[] {
  if (before === Number.POSITIVE_INFINITY) return all;
  return all.flatMap((exchange) => {
    if (exchange.last < before) return [exchange];
    return exchange.first < before ? exchangesOf(exchange.entries.filter(({ number }) => number < before)) : [];
  });
}
