// What a memory gives to a window: its conversation as history, and what bears on the question as pieces, each with where it was said.
import type { ModelMessage } from '#core/model/model.ts';
import type { Piece } from '../piece.ts';
import type { Entry } from './entry.ts';
import type { Recall } from './recall.ts';

export interface Remembered {
  /** Oldest first. */
  readonly history: readonly ModelMessage[];
  readonly pieces: readonly Piece[];
}

export interface Remember {
  /** What is asked now. */
  readonly text: string;
  /** As of this entry; undefined: now. */
  readonly before?: number | undefined;
}

/** Exchanges and facts that a window may choose from. */
const mostExchanges = 50;
const mostFacts = 100;

/** A fact is short and to the point: of two that bear on the question alike it comes before the exchange that says it. */
const factWeight = 1.2;

/** The memory's part of a window. What the history holds by itself is not said twice: pieces know which entries they repeat. */
export function rememberedFor(recall: Recall, { text, before }: Remember): Remembered {
  const said = recall.entries.filter(
    ({ number, role }) => role !== 'fact' && (before === undefined || number < before),
  );
  const history = said.map(({ role, content }): ModelMessage => {
    return role === 'assistant' ? { role, content } : { role: 'user', content };
  });
  const places = new Map(said.map(({ number }, index) => [number, index]));
  const question = { text, before };
  const exchanges = recall
    .exchanges({ ...question, limit: mostExchanges })
    .map(({ exchange, score, reason }): Piece => {
      const [opening] = exchange.entries;
      return {
        source: sourceOf(exchange.first, exchange.last, opening as Entry),
        score,
        reason,
        text: exchange.entries.map(({ role, content }) => `${role}: ${content}`).join('\n'),
        repeats: places.get(exchange.first),
      };
    });
  const facts = recall.facts({ ...question, limit: mostFacts }).map(({ fact, score, reason }): Piece => {
    return {
      source: sourceOf(fact.number, fact.number, fact),
      score: score * factWeight,
      reason,
      text: fact.text,
      repeats: places.get(fact.number),
    };
  });
  return { history, pieces: [...facts, ...exchanges] };
}

/** `memory 12-13, 2026-11-27`: where it was said, and when, for the model as for people. The entry knows its job: an id takes 25 tokens. */
function sourceOf(first: number, last: number, { ts }: Pick<Entry, 'ts'>): string {
  const place = first === last ? String(first) : `${first}-${last}`;
  const day = new Date(ts * 1_000).toISOString().slice(0, 10);
  return `memory ${place}, ${day}`;
}
