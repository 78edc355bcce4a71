// What meanings bring to a search: the nearest chunks, if the vectors of the commit are there and the model answers in time. Whatever goes
// wrong, the search goes without them and is otherwise the same.
import { CortexError, toCortexError } from '#core/errors.ts';
import { abortable } from '#core/deadline.ts';
import { type Embeddings, withNearest } from '#core/context/repo/embeddings.ts';
import type { RepoCommit, Repos } from '#core/context/repo/repos.ts';
import type { Query } from '#core/context/repo/search.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import type { Clock } from '#core/system.ts';
import { createEmbedder } from './embedder.ts';
import type { OpenRepository, Repositories } from './repositories.ts';
import { createVectorShelf } from './vector-shelf.ts';

export interface Meanings {
  /** A commit was stored: its vectors are made in the background. Returns at once. */
  want(at: RepoCommit): void;
  /** The query, with what is near by its meaning where that can be had. Throws nothing. */
  near(query: Query, at: OpenRepository): Promise<Query>;
  /** Settles when no vectors are being made. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Where no model is configured: nobody is ever asked. */
export const noMeanings: Meanings = {
  want: () => undefined,
  near: async (query) => Promise.resolve(query),
  idle: async () => Promise.resolve(),
  close: async () => Promise.resolve(),
};

export interface MeaningsDeps {
  readonly repos: Repos;
  readonly repositories: Repositories;
  readonly embeddings: Embeddings;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What a window waits for the model at most, and for vectors that are not at hand yet: these come for the next one. */
const deadlineMs = 1_500;

/** After so many failures in a row questions leave the model alone for a while: each would wait in vain. */
const mostFailures = 3;
const restMs = 30_000;

export function createMeanings({ repos, repositories, embeddings, clock, log, metrics }: MeaningsDeps): Meanings {
  const shelf = createVectorShelf({ repos, model: embeddings.model, clock, log });
  const embedder = createEmbedder({ repos, repositories, embeddings, clock, log, metrics, made: shelf.look });
  let failures = 0;
  let restUntil = 0;

  const failed = (error: unknown, at: OpenRepository): void => {
    const { code } = toCortexError(error);
    metrics.count('cortex_context_embeddings_total', { use: 'question', outcome: code });
    log.warn('a question is answered by its words alone', { tenant: at.tenant, repository: at.repository, error });
    failures++;
    if (failures >= mostFailures) restUntil = clock.monotonic() + restMs;
  };

  return {
    want: embedder.want,
    async near(query, at) {
      if (query.text.trim() === '' || clock.monotonic() < restUntil) return query;
      const late = new AbortController();
      const cancel = clock.after(deadlineMs, () =>
        late.abort(new CortexError('deadline_exceeded', `no meanings within ${deadlineMs} ms`)),
      );
      try {
        return await abortable(late.signal, async () => {
          const vectors = await shelf.vectors(at);
          if (vectors === undefined) return query;
          const found = await withNearest(query, vectors, embeddings, { signal: late.signal });
          metrics.count('cortex_context_embeddings_total', { use: 'question', outcome: 'ok' });
          failures = 0;
          return found;
        });
      } catch (error) {
        failed(error, at);
        return query;
      } finally {
        cancel();
      }
    },
    idle: embedder.idle,
    close: embedder.close,
  };
}
