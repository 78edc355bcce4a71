// Vectors of repositories at hand, those of a commit only once they are all there: with half of them the half would be preferred.
import { createVectors, dimensionIn, filesWithVectors, type Vectors } from '#core/context/repo/vectors.ts';
import type { RepoCommit, Repos } from '#core/context/repo/repos.ts';
import type { RepoSearch } from '#core/context/repo/search.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import { createLru } from './lru.ts';
import type { OpenRepository } from './repositories.ts';

export interface VectorShelf {
  /** undefined: the commit has none of that model, or not all yet. */
  vectors(at: OpenRepository): Promise<Vectors | undefined>;
  /** Vectors of the commit were made: looks again at once. */
  look(at: RepoCommit): void;
}

export interface VectorShelfDeps {
  readonly repos: Repos;
  readonly model: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Bytes of vectors at hand. */
const weight = 256 * 2 ** 20;
/** How long it is believed that there are none: another engine may be making them. */
const absentMs = 5_000;
/** Files whose vectors are asked for at once; others get their turn in between. */
const filesAtOnce = 200;

export function createVectorShelf({ repos, model, clock, log }: VectorShelfDeps): VectorShelf {
  // By the search: its chunks have the numbers that the vectors stand by, and a commit may be put anew with others.
  const ids = new WeakMap<RepoSearch, number>();
  const atHand = createLru<number, Vectors>(weight);
  const loading = new Map<number, Promise<Vectors | undefined>>();
  const absentUntil = createLru<string, number>(1_000);
  let lastId = 0;
  const keyOf = ({ tenant, repository, commit }: RepoCommit): string => `${tenant}:${commit}:${repository}`;

  async function load({ tenant, repository, search }: OpenRepository): Promise<Vectors | undefined> {
    const name = { tenant, repository };
    const space = await repos.space(name);
    const dimension = space === undefined ? undefined : dimensionIn(space, model);
    if (space === undefined || dimension === undefined) return undefined;
    const prints = filesWithVectors(search.index, dimension).map(({ fingerprint }) => fingerprint);
    if (prints.length === 0 || (await repos.withoutVectors({ ...name, space, prints })).length > 0) return undefined;
    const gathered = createVectors(search.index, dimension);
    for (let at = 0; at < prints.length; at += filesAtOnce) {
      const some = await repos.vectors({ ...name, space, prints: prints.slice(at, at + filesAtOnce) });
      for (const [print, packed] of some) {
        try {
          gathered.add(print, packed);
        } catch (error) {
          log.error('vectors of a file are damaged', { tenant, repository, error });
        }
      }
    }
    return gathered.finish();
  }

  return {
    async vectors(at) {
      const { search } = at;
      const id = ids.get(search) ?? ++lastId;
      ids.set(search, id);
      const known = atHand.get(id);
      if (known !== undefined) return known;
      const key = keyOf(at);
      if (clock.monotonic() < (absentUntil.get(key) ?? 0)) return undefined;
      const pending = loading.get(id) ?? load(at).finally(() => loading.delete(id));
      loading.set(id, pending);
      const vectors = await pending;
      if (vectors === undefined) absentUntil.set(key, clock.monotonic() + absentMs, 1);
      else atHand.set(id, vectors, vectors.values.length);
      return vectors;
    },
    look: (at) => absentUntil.delete(keyOf(at)),
  };
}
