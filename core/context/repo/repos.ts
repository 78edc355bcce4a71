// The port to what is kept of repositories: for each tenant, repository and commit an index, and beside it the files that it names, each
// once for all commits of the repository, by its fingerprint. Drivers: core/context/memory-repos.ts (twin for tests), redis-repos.ts.
// Both pass test/contract/repos.ts. Throws CortexError `unavailable` when the store cannot be reached.

export interface RepoName {
  readonly tenant: string;
  /** As the tenant calls it. */
  readonly repository: string;
}

export interface RepoCommit extends RepoName {
  readonly commit: string;
}

/** `print`: its fingerprint (lines.ts). `bytes`: as the caller packs them. */
export interface KeptFile {
  readonly print: string;
  readonly bytes: Uint8Array;
}

export interface Repos {
  /** The commit that was put last. */
  latest(name: RepoName): Promise<string | undefined>;
  index(at: RepoCommit): Promise<Uint8Array | undefined>;
  /** Of these files, those that are not kept yet. */
  missing(item: RepoName & { readonly prints: readonly string[] }): Promise<readonly string[]>;
  /** Throws `resource_exhausted` when one repository has more than a tenant has room for. */
  putFiles(item: RepoName & { readonly files: readonly KeptFile[] }): Promise<void>;
  /** `incomplete`: not every file is kept (any more); put those that are missing and call again. Older commits give way. */
  putIndex(
    item: RepoCommit & { readonly blob: Uint8Array; readonly prints: readonly string[] },
  ): Promise<'ok' | 'incomplete'>;
  /** Those that are there. */
  files(item: RepoName & { readonly prints: readonly string[] }): Promise<ReadonlyMap<string, Uint8Array>>;
}

export interface RepoLimits {
  /** Of one repository, those that were put last. */
  readonly commits: number;
  /** Of all repositories of one tenant; those that were not used for longest give way. */
  readonly bytes: number;
  /** Since it was used last, ms. */
  readonly ttlMs: number;
}

export const repoLimits: RepoLimits = { commits: 3, bytes: 512 * 2 ** 20, ttlMs: 30 * 24 * 3_600_000 };
