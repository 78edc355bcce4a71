// The port to what is kept of repositories: for each tenant, repository and commit an index, and beside it the files that it names, each
// once for all commits of the repository, by its fingerprint, and vectors of its chunks, if somebody has made some. Drivers:
// core/context/memory-repos.ts (twin for tests), redis-repos.ts. Both pass test/contract/repos.ts. Throws CortexError `unavailable` when the store
// cannot be reached.
//
// What nobody uses for long is gone, and what was not used for longest gives way where there is no room. `find`, `index`, `files` and the puts
// are uses; reading counts once a minute. Room is made before anything is written, and nothing gives way in vain.
import { CortexError } from '#core/errors.ts';

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

export interface RepoSpace extends RepoName {
  /** What makes the vectors comparable (vectors.ts): those of one space alone are kept. */
  readonly space: string;
}

/** A commit that is there. */
export interface FoundCommit {
  readonly commit: string;
  /** Another one each time the commit is put: what was made of its index holds as long as this does. */
  readonly generation: string;
}

/** A commit that files are put for. */
export interface ComingCommit {
  readonly prints: readonly string[];
  readonly indexBytes: number;
}

export interface Repos {
  /** Without a commit: the one that was put last. */
  find(at: RepoName & { readonly commit?: string | undefined }): Promise<FoundCommit | undefined>;
  index(at: RepoCommit): Promise<Uint8Array | undefined>;
  /** Of these files, those that are not kept yet. */
  missing(item: RepoName & { readonly prints: readonly string[] }): Promise<readonly string[]>;
  /**
   * `of`: room is made for the whole commit, and files that it names stay. Throws `resource_exhausted` when it is more than a tenant has
   * room for: then no commit has given way, and files that no commit names are gone.
   */
  putFiles(item: RepoName & { readonly files: readonly KeptFile[]; readonly of?: ComingCommit }): Promise<void>;
  /**
   * `incomplete`: not every file is kept (any more); put those that are missing and call again. Older commits give way, and what a commit of
   * that name had before. Throws as `putFiles`.
   */
  putIndex(
    item: RepoCommit & { readonly blob: Uint8Array; readonly prints: readonly string[] },
  ): Promise<'ok' | 'incomplete'>;
  /** Those that are there. */
  files(item: RepoName & { readonly prints: readonly string[] }): Promise<ReadonlyMap<string, Uint8Array>>;
  /** That of the vectors that are kept; undefined: there are none. */
  space(name: RepoName): Promise<string | undefined>;
  /** Of these files, those that have no vectors in that space. */
  withoutVectors(item: RepoSpace & { readonly prints: readonly string[] }): Promise<readonly string[]>;
  /**
   * Vectors of files that are kept, others are passed over; they go with their files, and those of another space go at once. Nothing needs them,
   * so they give way before any index or file does. `resource_exhausted`, and final, when there is no room: none of these is kept then.
   */
  putVectors(item: RepoSpace & { readonly files: readonly KeptFile[] }): Promise<void>;
  /** Those that are there. */
  vectors(item: RepoSpace & { readonly prints: readonly string[] }): Promise<ReadonlyMap<string, Uint8Array>>;
}

export interface RepoLimits {
  /** Of one repository, those that were put last. */
  readonly commits: number;
  /** Of one tenant; those that were not used for longest give way. */
  readonly repositories: number;
  /** Of all repositories of one tenant; a repository's older commits give way to its next one, then other repositories. */
  readonly bytes: number;
  /** Since it was used last, ms. */
  readonly ttlMs: number;
}

export const repoLimits: RepoLimits = {
  commits: 3,
  repositories: 1_000,
  bytes: 512 * 2 ** 20,
  ttlMs: 30 * 24 * 3_600_000,
};

/** What is said of a repository that is too large. */
export function noRoom(bytes: number): CortexError {
  const problem = `repository: its files and indexes are more than the ${bytes} bytes that a tenant has for all repositories`;
  return new CortexError('resource_exhausted', problem, { field: 'repository' });
}

/** What is said of vectors that have no room. */
export function noRoomForVectors(bytes: number): CortexError {
  return new CortexError('resource_exhausted', `the ${bytes} bytes of the tenant leave no room for vectors`, {
    final: true,
  });
}
