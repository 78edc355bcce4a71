// Makes vectors of what was ingested, in the background: one repository after the other, one request at a time. What was made is kept
// at once, so what is stopped or given up goes on where it was with the next ingest, and files that have not changed are not asked for again.
import { CortexError, isRetryable, toCortexError } from '#core/errors.ts';
import { headerOf } from '#core/context/repo/chunk.ts';
import type { Embeddings } from '#core/context/repo/embeddings.ts';
import { chunkText } from '#core/context/repo/found-pieces.ts';
import type { IndexedFile } from '#core/context/repo/repo-index.ts';
import type { KeptFile, RepoCommit, RepoName, Repos } from '#core/context/repo/repos.ts';
import { filesWithVectors, packVectors, spaceOf } from '#core/context/repo/vectors.ts';
import type { Log } from '#core/log.ts';
import type { Metrics } from '#core/metrics/metrics.ts';
import { ModelError } from '#core/model/model.ts';
import { pause } from '#core/model/retry.ts';
import type { Clock } from '#core/system.ts';
import { unpackFile } from './pack.ts';
import type { Repositories } from './repositories.ts';

export interface Embedder {
  /** Returns at once. Of a repository that waits the commit that came last is meant. */
  want(at: RepoCommit): void;
  /** Settles when there is nothing to do. */
  idle(): Promise<void>;
  /** Ends what is under way, down to the socket. */
  close(): Promise<void>;
}

export interface EmbedderDeps {
  readonly repos: Repos;
  readonly repositories: Pick<Repositories, 'open'>;
  readonly embeddings: Embeddings;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Hears of a commit that has all its vectors; must not throw. */
  readonly made: (at: RepoCommit) => void;
}

/** Repositories that wait. */
const mostWaiting = 64;
/** Chunks that are read, embedded and kept at once, about. */
const groupChunks = 64;
/** What may succeed later is tried so often in all, after 2, 4, 8, 16 and 32 seconds or when the provider says. */
const attempts = 6;
const firstPauseMs = 2_000;
const mostPauseMs = 300_000;

export function createEmbedder({ repos, repositories, embeddings, clock, log, metrics, made }: EmbedderDeps): Embedder {
  const stop = new AbortController();
  const { signal } = stop;
  const waiting = new Map<string, RepoCommit>();
  let isRunning = false;
  let running: Promise<void> = Promise.resolve();
  /** Of the model, once it has told; a vector of another length makes it be asked anew. */
  let told = embeddings.dimensions;

  async function run(): Promise<void> {
    for (let [next] = waiting; next !== undefined && !signal.aborted; [next] = waiting) {
      waiting.delete(next[0]);
      await one(next[1]);
    }
    isRunning = false;
  }

  async function one(at: RepoCommit): Promise<void> {
    const began = clock.monotonic();
    try {
      const chunks = await embedCommit(at);
      if (chunks === undefined) return;
      made(at);
      if (chunks > 0)
        log.info('a repository has its vectors', { ...at, chunks, ms: Math.round(clock.monotonic() - began) });
    } catch (error) {
      if (!signal.aborted) log.warn('the vectors of a repository were given up', { ...at, error });
    }
  }

  /** How many chunks got a vector that had none; undefined: the commit is not there any more. */
  async function embedCommit({ tenant, repository, commit }: RepoCommit): Promise<number | undefined> {
    const name = { tenant, repository };
    const open = await again(() => repositories.open(name, commit));
    if (open === undefined) return undefined;
    told ??= (await embed(['length']))[0]?.length ?? 0;
    const dimension = told;
    const space = spaceOf(embeddings.model, dimension);
    const files = filesWithVectors(open.search.index, dimension);
    const prints = files.map(({ fingerprint }) => fingerprint);
    const missing = new Set(await again(() => repos.withoutVectors({ ...name, space, prints })));
    let chunks = 0;
    for (const some of groups(files.filter(({ fingerprint }) => missing.has(fingerprint)))) {
      const packed = await embedFiles(name, some, dimension);
      await again(() => repos.putVectors({ ...name, space, files: packed }));
      chunks += some.reduce((sum, file) => sum + file.chunks.length, 0);
    }
    return chunks;
  }

  async function embedFiles(name: RepoName, files: readonly IndexedFile[], dimension: number): Promise<KeptFile[]> {
    const contents = await again(() => repos.files({ ...name, prints: files.map(({ fingerprint }) => fingerprint) }));
    // A file that is not there any more went with its commit.
    const there = files.flatMap((file) => {
      const packed = contents.get(file.fingerprint);
      return packed === undefined ? [] : [{ file, bytes: unpackFile(packed, file.fingerprint) }];
    });
    const texts = there.flatMap(({ file, bytes }) =>
      file.chunks.map((chunk) => `${headerOf(file.path, chunk)}\n${chunkText(bytes, chunk)}`),
    );
    const vectors = texts.length === 0 ? [] : await embed(texts);
    if (vectors.some(({ length }) => length !== dimension)) {
      told = embeddings.dimensions;
      throw new CortexError('internal', `model ${embeddings.model} gave vectors of another length than ${dimension}`);
    }
    let first = 0;
    return there.map(({ file: { chunks, fingerprint } }) => {
      const own = vectors.slice(first, (first += chunks.length));
      return { print: fingerprint, bytes: packVectors(chunks, own) };
    });
  }

  async function embed(texts: readonly string[]): Promise<readonly Float32Array[]> {
    return again(async () => {
      const count = (outcome: string): void =>
        metrics.count('cortex_context_embeddings_total', { use: 'chunks', outcome });
      try {
        const vectors = await embeddings.embed(texts, { signal });
        count('ok');
        return vectors;
      } catch (error) {
        count(toCortexError(error).code);
        throw error;
      }
    });
  }

  async function again<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || !isRetryable(error) || attempt >= attempts) throw error;
        const asked = error instanceof ModelError ? error.retryAfterMs : undefined;
        await pause(clock, Math.min(asked ?? firstPauseMs * 2 ** (attempt - 1), mostPauseMs), signal);
      }
    }
  }

  return {
    want(at) {
      if (signal.aborted) return;
      const key = `${at.tenant}:${at.repository}`;
      waiting.delete(key);
      waiting.set(key, at);
      const [eldest] = waiting;
      if (waiting.size > mostWaiting && eldest !== undefined) {
        waiting.delete(eldest[0]);
        log.warn('the vectors of a repository were given up: too many wait', { ...eldest[1] });
      }
      if (isRunning) return;
      isRunning = true;
      running = run();
    },
    idle: () => running,
    async close() {
      stop.abort(new CortexError('canceled', 'the context engine is stopping'));
      await running;
    },
  };
}

/** Files together until they have about so many chunks. */
function groups(files: readonly IndexedFile[]): IndexedFile[][] {
  const out: IndexedFile[][] = [];
  let room = 0;
  for (const file of files) {
    if (room <= 0) {
      out.push([]);
      room = groupChunks;
    }
    out.at(-1)?.push(file);
    room -= file.chunks.length;
  }
  return out;
}
