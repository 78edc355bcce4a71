// The twin of the repositories for tests: the same answers, in this process.
import { CortexError } from '#core/errors.ts';
import { type RepoLimits, repoLimits, type RepoName, type Repos } from './repo/repos.ts';

interface Kept {
  readonly tenant: string;
  readonly files: Map<string, Uint8Array>;
  /** In the order in which they were put. */
  readonly commits: Map<string, { readonly blob: Uint8Array; readonly prints: readonly string[] }>;
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
    const kept = find(name) ?? { tenant: name.tenant, files: new Map(), commits: new Map(), usedAt: 0 };
    kept.usedAt = now();
    all.delete(nameOf(name));
    all.set(nameOf(name), kept);
    return kept;
  };
  const sizeOf = ({ files, commits }: Kept): number => {
    const kept = [...files.values(), ...Array.from(commits.values(), ({ blob }) => blob)];
    return kept.reduce((sum, { length }) => sum + length, 0);
  };
  const makeRoom = (name: RepoName): boolean => {
    const own = [...all].filter(([, { tenant }]) => tenant === name.tenant);
    let used = own.reduce((sum, [, kept]) => sum + sizeOf(kept), 0);
    for (const [key, kept] of own) {
      if (used <= bytes) break;
      if (key === nameOf(name)) continue;
      used -= sizeOf(kept);
      all.delete(key);
    }
    return used <= bytes;
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
        for (const print of its) if (!named.has(print)) kept.files.delete(print);
      }
      makeRoom(name);
      return Promise.resolve('ok');
    },
    async files({ prints, ...name }) {
      const kept = find(name);
      const found = new Map<string, Uint8Array>();
      for (const print of prints) {
        const bytesOf = kept?.files.get(print);
        if (bytesOf !== undefined) found.set(print, bytesOf);
      }
      return Promise.resolve(found);
    },
  };
}
