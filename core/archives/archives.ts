// The archive store port: repositories that a client uploads, in parts, for a job that will read them. They live for a while by
// themselves, longer once a job names them, and a tenant has room for so many bytes. Drivers: memory-archives.ts (twin for tests),
// redis-archives.ts. Both pass test/contract/archives.ts.

export interface ArchiveName {
  readonly tenant: string;
  /** Of the whole content, lower case hex. Who reads the archive compares. */
  readonly sha256: string;
}

export interface ArchiveState {
  /** Parts that are still to come, from 0. */
  readonly missing: readonly number[];
  readonly parts: number;
  /** When it goes away unless something happens to it, ms since the epoch. */
  readonly expiresAt: number;
}

export interface Archives {
  /**
   * Makes room; for what is there already, answers what is missing and lets it live longer. A size other than before begins anew. Throws
   * CortexError `resource_exhausted` when the tenant has no room.
   */
  begin(archive: ArchiveName & { readonly bytes: number }): Promise<ArchiveState>;
  /**
   * Stores a part, over one that is there. Each but the last has as many bytes as `archivePartBytes` of archive-pointer.ts says. Throws CortexError: `not_found`,
   * `invalid_argument` for a part that does not fit.
   */
  put(archive: ArchiveName & { readonly part: number; readonly bytes: Uint8Array }): Promise<{ missing: number }>;
  /** For a job that names it: it lives as long as a job may, and its data after that. */
  keep(archive: ArchiveName): Promise<'kept' | 'incomplete' | 'missing'>;
  /** The whole content; undefined when it is not there, or not all of it. */
  read(archive: ArchiveName, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  drop(archive: ArchiveName): Promise<void>;
}

export interface ArchiveLimits {
  /** Of all archives of one tenant. */
  readonly tenantBytes: number;
  readonly tenantArchives: number;
  /** Life without a job, from the last part that came, ms. */
  readonly idleMs: number;
  /** Life from the moment a job names it, ms. */
  readonly keepMs: number;
}

/** Four of the largest, and 64 in all; an hour, and a job's longest life with a day on top. */
export const archiveLimits: ArchiveLimits = {
  tenantBytes: 256 * 2 ** 20,
  tenantArchives: 64,
  idleMs: 3_600_000,
  keepMs: 48 * 3_600_000,
};
