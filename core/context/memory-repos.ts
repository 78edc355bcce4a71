// The twin of the repositories for tests: the same answers, in this process.
import { noRoom, noRoomForVectors, type RepoLimits, repoLimits, type RepoName, type Repos } from './repo/repos.ts';

interface KeptCommit {
  readonly blob: Uint8Array;
  readonly prints: ReadonlySet<string>;
  readonly generation: string;
}

interface Kept {
  readonly tenant: string;
  readonly files: Map<string, Uint8Array>;
  /** Those whose commit is still to come. */
  readonly coming: Set<string>;
  /** In the order in which they were put. */
  readonly commits: Map<string, KeptCommit>;
  space: string | undefined;
  vectors: Map<string, Uint8Array>;
  usedAt: number;
}

const none: ReadonlySet<string> = new Set();

/** `now` is in ms since the epoch. */
export function createMemoryRepos(now: () => number, limits: Partial<RepoLimits> = {}): Repos {
  const { bytes, commits: mostCommits, repositories, ttlMs } = { ...repoLimits, ...limits };
  const all = new Map<string, Kept>();
  let generations = 0;
  const nameOf = ({ tenant, repository }: RepoName): string => `${tenant}:${repository}`;
  const find = (name: RepoName): Kept | undefined => {
    for (const [key, { usedAt }] of all) if (usedAt + ttlMs <= now()) all.delete(key);
    return all.get(nameOf(name));
  };
  const use = (name: RepoName, kept: Kept): void => {
    kept.usedAt = now();
    all.delete(nameOf(name));
    all.set(nameOf(name), kept);
  };
  /** As the Redis driver: a reader's use is written down at most once a minute. */
  const read = (name: RepoName): Kept | undefined => {
    const kept = find(name);
    if (kept !== undefined && now() - kept.usedAt >= Math.min(60_000, ttlMs / 10)) use(name, kept);
    return kept;
  };
  const newOne = ({ tenant }: RepoName): Kept => {
    return {
      ...{ tenant, files: new Map(), coming: new Set(), commits: new Map() },
      ...{ space: undefined, vectors: new Map(), usedAt: 0 },
    };
  };
  const ofTenant = (tenant: string): [string, Kept][] => [...all].filter(([, kept]) => kept.tenant === tenant);
  const used = (tenant: string): number => ofTenant(tenant).reduce((total, [, kept]) => total + sizeOf(kept), 0);
  const inSpace = (name: RepoName, space: string): ReadonlyMap<string, Uint8Array> | undefined => {
    const kept = find(name);
    return kept?.space === space ? kept.vectors : undefined;
  };
  /** Files that no commit names, but for those that the coming one does: these wait for it. */
  const forget = (kept: Kept, prints: Iterable<string>, keep: ReadonlySet<string>): void => {
    const named = [...kept.commits.values()];
    for (const print of prints) {
      if (named.some((commit) => commit.prints.has(print))) continue;
      if (keep.has(print)) kept.coming.add(print);
      else for (const from of [kept.files, kept.vectors, kept.coming]) from.delete(print);
    }
  };
  const dropCommit = (kept: Kept, commit: string, keep: ReadonlySet<string>): void => {
    const prints = kept.commits.get(commit)?.prints ?? none;
    kept.commits.delete(commit);
    forget(kept, prints, keep);
  };
  /** In the order of the Redis driver (redis-repos-scripts.ts). */
  const makeRoom = (name: RepoName, kept: Kept, n: number, keep: ReadonlySet<string>, again?: string): void => {
    const size = (print: string): number => kept.files.get(print)?.length ?? 0;
    const lacking = (): boolean => used(name.tenant) + n - blobOf(kept, again) > bytes;
    if (lacking()) {
      const stays = [...keep].reduce((total, print) => total + size(print), 0);
      if (stays + n > bytes) {
        forget(kept, kept.coming, none);
        throw noRoom(bytes);
      }
      for (const [, one] of ofTenant(name.tenant)) if (lacking()) dropVectors(one);
      if (lacking()) forget(kept, kept.coming, keep);
      if (again !== undefined && lacking()) dropCommit(kept, again, keep);
      for (const old of [...kept.commits.keys()].slice(0, -1)) if (lacking()) dropCommit(kept, old, keep);
    }
    const others = ofTenant(name.tenant).filter(([key]) => key !== nameOf(name));
    let count = others.length + 1;
    for (const [key] of others) {
      if (count <= repositories && !lacking()) break;
      all.delete(key);
      count--;
    }
    if (lacking()) for (const latest of kept.commits.keys()) dropCommit(kept, latest, keep);
  };
  return {
    async find({ commit, ...name }) {
      const kept = find(name);
      const found = commit ?? [...(kept?.commits.keys() ?? [])].at(-1);
      const generation = found === undefined ? undefined : kept?.commits.get(found)?.generation;
      if (found === undefined || generation === undefined) return Promise.resolve(undefined);
      read(name);
      return Promise.resolve({ commit: found, generation });
    },
    async index({ commit, ...name }) {
      return Promise.resolve(read(name)?.commits.get(commit)?.blob);
    },
    async missing({ prints, ...name }) {
      const kept = find(name);
      return Promise.resolve(prints.filter((print) => kept?.files.has(print) !== true));
    },
    async putFiles({ files, of, ...name }) {
      const kept = find(name) ?? newOne(name);
      const added = files.filter(({ print }) => !kept.files.has(print));
      const n = added.reduce((total, { bytes: { length } }) => total + length, of?.indexBytes ?? 0);
      makeRoom(name, kept, n, new Set([...files.map(({ print }) => print), ...(of?.prints ?? [])]));
      for (const { print, bytes: packed } of added) {
        kept.files.set(print, packed);
        kept.coming.add(print);
      }
      use(name, kept);
      return Promise.resolve();
    },
    async putIndex({ commit, blob, prints, ...name }) {
      const kept = find(name) ?? newOne(name);
      const named = new Set(prints);
      if (prints.some((print) => !kept.files.has(print))) return Promise.resolve('incomplete');
      makeRoom(name, kept, blob.length, named, commit);
      dropCommit(kept, commit, named);
      kept.commits.set(commit, { blob, prints: named, generation: String(++generations) });
      for (const print of named) kept.coming.delete(print);
      const over = Math.max(0, kept.commits.size - mostCommits);
      for (const old of [...kept.commits.keys()].slice(0, over)) dropCommit(kept, old, none);
      use(name, kept);
      return Promise.resolve('ok');
    },
    async files({ prints, ...name }) {
      return Promise.resolve(pick(read(name)?.files, prints));
    },
    async space(name) {
      return Promise.resolve(find(name)?.space);
    },
    async withoutVectors({ space, prints, ...name }) {
      const vectors = inSpace(name, space);
      return Promise.resolve(prints.filter((print) => vectors?.has(print) !== true));
    },
    async putVectors({ space, files, ...name }) {
      const kept = find(name);
      if (kept === undefined) return Promise.resolve();
      if (kept.space !== space) dropVectors(kept);
      const put = files.filter(({ print }) => kept.files.has(print));
      const more = put.reduce(
        (n, { print, bytes: { length } }) => n + length - (kept.vectors.get(print)?.length ?? 0),
        0,
      );
      const ofAll = ofTenant(name.tenant).reduce((n, [, one]) => n + sum(one.vectors.values()), 0);
      if (used(name.tenant) - ofAll + sum(kept.vectors.values()) + more > bytes) throw noRoomForVectors(bytes);
      use(name, kept);
      for (const [, one] of ofTenant(name.tenant)) if (used(name.tenant) + more > bytes) dropVectors(one);
      for (const { print, bytes: packed } of put) kept.vectors.set(print, packed);
      kept.space = space;
      return Promise.resolve();
    },
    async vectors({ space, prints, ...name }) {
      return Promise.resolve(pick(inSpace(name, space), prints));
    },
  };
}

function dropVectors(kept: Kept): void {
  kept.space = undefined;
  kept.vectors = new Map();
}

function pick(from: ReadonlyMap<string, Uint8Array> | undefined, prints: readonly string[]): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const print of prints) {
    const one = from?.get(print);
    if (one !== undefined) found.set(print, one);
  }
  return found;
}

function sizeOf({ files, commits, vectors }: Kept): number {
  return sum(files.values()) + sum(vectors.values()) + sum(Array.from(commits.values(), ({ blob }) => blob));
}

function sum(values: Iterable<Uint8Array>): number {
  let total = 0;
  for (const { length } of values) total += length;
  return total;
}

function blobOf({ commits }: Kept, commit: string | undefined): number {
  return commit === undefined ? 0 : (commits.get(commit)?.blob.length ?? 0);
}
