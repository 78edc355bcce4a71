// The twin of the repositories for tests: the same answers, in this process.
import { CortexError } from '#core/errors.ts';
import { noRoomForVectors, type RepoLimits, repoLimits, type RepoName, type Repos } from './repo/repos.ts';

interface Kept {
  readonly tenant: string;
  readonly files: Map<string, Uint8Array>;
  /** In the order in which they were put. */
  readonly commits: Map<string, { readonly blob: Uint8Array; readonly prints: readonly string[] }>;
  space: string | undefined;
  vectors: Map<string, Uint8Array>;
  usedAt: number;
}

/** `now` is in ms since the epoch. */
export function createMemoryRepos(now: () => number, limits: Partial<RepoLimits> = {}): Repos {
  const { bytes, commits: mostCommits, ttlMs } = { ...repoLimits, ...limits };
  const all = new Map<string, Kept>();
  const nameOf = ({ tenant, repository }: RepoName): string => `${tenant}:${repository}`;
  const find = (name: RepoName): Kept | undefined => {
    for (const [key, { usedAt }] of all) if (usedAt + ttlMs <= now()) all.delete(key);
    return all.get(nameOf(name));
  };
  const use = (name: RepoName): Kept => {
    const kept = find(name) ?? {
      ...{ tenant: name.tenant, files: new Map(), commits: new Map(), usedAt: 0 },
      ...{ space: undefined, vectors: new Map() },
    };
    kept.usedAt = now();
    all.delete(nameOf(name));
    all.set(nameOf(name), kept);
    return kept;
  };
  const sum = (values: Iterable<Uint8Array>): number => [...values].reduce((total, { length }) => total + length, 0);
  const sizeOf = ({ files, commits, vectors }: Kept): number =>
    sum(files.values()) + sum(Array.from(commits.values(), ({ blob }) => blob)) + sum(vectors.values());
  const ofTenant = (tenant: string): [string, Kept][] => [...all].filter(([, kept]) => kept.tenant === tenant);
  const used = (tenant: string): number => ofTenant(tenant).reduce((total, [, kept]) => total + sizeOf(kept), 0);
  const dropVectors = (kept: Kept): void => {
    kept.space = undefined;
    kept.vectors = new Map();
  };
  /** Vectors of those that were not used for longest go, until so many more bytes have room. */
  const thinOut = (tenant: string, more: number): void => {
    for (const [, kept] of ofTenant(tenant)) if (used(tenant) + more > bytes) dropVectors(kept);
  };
  const makeRoom = (name: RepoName): boolean => {
    thinOut(name.tenant, 0);
    for (const [key] of ofTenant(name.tenant)) {
      if (used(name.tenant) <= bytes) break;
      if (key !== nameOf(name)) all.delete(key);
    }
    return used(name.tenant) <= bytes;
  };
  const pick = (from: ReadonlyMap<string, Uint8Array> | undefined, prints: readonly string[]) => {
    const found = new Map<string, Uint8Array>();
    for (const print of prints) {
      const one = from?.get(print);
      if (one !== undefined) found.set(print, one);
    }
    return found;
  };
  const inSpace = (name: RepoName, space: string) => {
    const kept = find(name);
    return kept?.space === space ? kept.vectors : undefined;
  };
  return {
    async latest(name) {
      const kept = find(name);
      if (kept === undefined || kept.commits.size === 0) return Promise.resolve(undefined);
      return Promise.resolve([...use(name).commits.keys()].at(-1));
    },
    async index({ commit, ...name }) {
      return Promise.resolve(find(name)?.commits.get(commit)?.blob);
    },
    async missing({ prints, ...name }) {
      const kept = find(name);
      return Promise.resolve(prints.filter((print) => kept?.files.has(print) !== true));
    },
    async putFiles({ files, ...name }) {
      const kept = use(name);
      for (const { print, bytes: packed } of files) if (!kept.files.has(print)) kept.files.set(print, packed);
      if (makeRoom(name)) return Promise.resolve();
      throw new CortexError('resource_exhausted', 'repository: has no room', { field: 'repository' });
    },
    async putIndex({ commit, blob, prints, ...name }) {
      const kept = use(name);
      if (prints.some((print) => !kept.files.has(print))) return Promise.resolve('incomplete');
      kept.commits.delete(commit);
      kept.commits.set(commit, { blob, prints });
      for (const [old, { prints: its }] of kept.commits) {
        if (kept.commits.size <= mostCommits) break;
        kept.commits.delete(old);
        const named = new Set([...kept.commits.values()].flatMap((other) => other.prints));
        for (const print of its) {
          if (named.has(print)) continue;
          kept.files.delete(print);
          kept.vectors.delete(print);
        }
      }
      makeRoom(name);
      return Promise.resolve('ok');
    },
    async files({ prints, ...name }) {
      return Promise.resolve(pick(find(name)?.files, prints));
    },
    async space(name) {
      return Promise.resolve(find(name)?.space);
    },
    async withoutVectors({ space, prints, ...name }) {
      const vectors = inSpace(name, space);
      return Promise.resolve(prints.filter((print) => vectors?.has(print) !== true));
    },
    async putVectors({ space, files, ...name }) {
      const kept = use(name);
      if (kept.space !== space) dropVectors(kept);
      const put = files.filter(({ print }) => kept.files.has(print));
      const before = sum(
        pick(
          kept.vectors,
          put.map(({ print }) => print),
        ).values(),
      );
      const more = sum(put.map((file) => file.bytes)) - before;
      const others = ofTenant(name.tenant).reduce(
        (total, [, one]) => total + (one === kept ? 0 : sum(one.vectors.values())),
        0,
      );
      if (used(name.tenant) - others + more > bytes) throw noRoomForVectors(bytes);
      thinOut(name.tenant, more);
      for (const { print, bytes: packed } of put) kept.vectors.set(print, packed);
      kept.space = space;
      return Promise.resolve();
    },
    async vectors({ space, prints, ...name }) {
      return Promise.resolve(pick(inSpace(name, space), prints));
    },
  };
}
