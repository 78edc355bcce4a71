// Repositories as the engine works with them: indexes that are ready for questions, texts of what was found, and new commits.
import { CortexError, invalid } from '#core/errors.ts';
import { decodeIndex } from '#core/context/repo/blob.ts';
import type { KeptFile, RepoCommit, RepoName, Repos } from '#core/context/repo/repos.ts';
import { type FoundChunk, openSearch, type RepoSearch } from '#core/context/repo/search.ts';
import type { Log } from '#core/log.ts';
import { unwrap } from '#core/result.ts';
import { createLru } from './lru.ts';
import type { Ingester } from './ingest.ts';
import { unpackFile } from './pack.ts';

export interface OpenRepository extends RepoCommit {
  readonly search: RepoSearch;
}

export interface Ingested {
  readonly commit: string;
  readonly files: number;
  readonly chunks: number;
  readonly changed: number;
  readonly indexBytes: number;
}

export interface Repositories {
  /** That commit, else the latest; undefined when there is none. */
  open(name: RepoName, commit?: string): Promise<OpenRepository | undefined>;
  /** Files of what was found, by their fingerprints; one that is not there any more is left out. */
  files(at: RepoCommit, found: readonly FoundChunk[]): Promise<ReadonlyMap<string, Uint8Array>>;
  /** `commit` undefined: a digest of the files. `read` is called when its turn has come. `check` throws when nothing may be written any more. */
  ingest(
    name: RepoName,
    commit: string | undefined,
    read: () => Promise<Uint8Array>,
    check?: () => Promise<void>,
  ): Promise<Ingested>;
}

export interface RepositoriesDeps {
  readonly repos: Repos;
  readonly ingester: Ingester;
  readonly log: Log;
}

/** Bytes of blobs whose indexes are at hand: in memory each takes about ten times as many. */
const indexWeight = 48 * 2 ** 20;
/** Bytes of files at hand. */
const fileWeight = 64 * 2 ** 20;
/** Files that are packed at once; all that are missing are held packed until they are stored, so that room is made for all or for none. */
const packAtOnce = 200;
/** Another commit may take files away between the moment they were found and the moment they are named. */
const attempts = 3;

export function createRepositories({ repos, ingester, log }: RepositoriesDeps): Repositories {
  const indexes = createLru<string, { readonly search: RepoSearch; readonly generation: string }>(indexWeight);
  const opening = new Map<string, Promise<RepoSearch | undefined>>();
  const contents = createLru<string, Uint8Array>(fileWeight);

  async function load(at: RepoCommit, generation: string): Promise<RepoSearch | undefined> {
    const blob = await repos.index(at);
    if (blob === undefined) return undefined;
    const search = openSearch(unwrap(decodeIndex(blob)));
    indexes.set(keyOf(at), { search, generation }, blob.length);
    return search;
  }

  async function searchOf(at: RepoCommit, generation: string): Promise<RepoSearch | undefined> {
    const known = indexes.get(keyOf(at));
    if (known?.generation === generation) return known.search;
    const key = `${generation}:${keyOf(at)}`;
    const pending = opening.get(key) ?? load(at, generation).finally(() => opening.delete(key));
    opening.set(key, pending);
    return pending;
  }

  return {
    // An index at hand is believed only as long as the store has that commit, and has it from the same put: any engine may have put it anew.
    async open(name, wanted) {
      const at = await repos.find({ ...name, commit: wanted });
      if (at === undefined) return undefined;
      const { commit, generation } = at;
      const search = await searchOf({ ...name, commit }, generation);
      return search === undefined ? undefined : { ...name, commit, search };
    },

    async files(at, found) {
      const prints = [...new Set(found.map(({ fingerprint }) => fingerprint))];
      const held = new Map<string, Uint8Array>();
      // A tenant's files are its own, even where another one has the same.
      const nameOf = (print: string): string => `${at.tenant}:${at.repository}:${print}`;
      for (const print of prints) {
        const bytes = contents.get(nameOf(print));
        if (bytes !== undefined) held.set(print, bytes);
      }
      const { tenant, repository, commit } = at;
      const missing = prints.filter((print) => !held.has(print));
      const packed = await repos.files({ tenant, repository, prints: missing });
      for (const [print, bytes] of packed) {
        try {
          const file = unpackFile(bytes, print);
          contents.set(nameOf(print), file, file.length);
          held.set(print, file);
        } catch (error) {
          log.error('a file of a repository is damaged', { tenant, repository, commit, error });
        }
      }
      // As a rule the commit has given way since it was opened.
      const gone = missing.filter((print) => !packed.has(print)).length;
      if (gone > 0)
        log.warn('files of a repository are not there any more', { tenant, repository, commit, files: gone });
      return held;
    },

    async ingest(name, wanted, read, check) {
      const input = async () => {
        const latest = await repos.find(name);
        const old = latest === undefined ? undefined : await repos.index({ ...name, commit: latest.commit });
        return { archive: await read(), old };
      };
      return ingester.index(input, async ({ blob, digest, files, chunks, changed, prints, pack }) => {
        if (files === 0) throw invalid('scan_result', 'names an archive without files');
        const commit = wanted ?? `tree-${digest}`;
        const of = { prints, indexBytes: blob.length };
        for (let i = 0; i < attempts; i++) {
          const missing = await repos.missing({ ...name, prints });
          const packed: KeptFile[] = [];
          for (let at = 0; at < missing.length; at += packAtOnce)
            packed.push(...(await pack(missing.slice(at, at + packAtOnce))));
          // Room for files is made of what others have.
          await check?.();
          if (packed.length > 0) await repos.putFiles({ ...name, files: packed, of });
          await check?.();
          if ((await repos.putIndex({ ...name, commit, blob, prints })) === 'ok')
            return { commit, files, chunks, changed, indexBytes: blob.length };
        }
        throw new CortexError('aborted', 'the files of the repository were taken away while it was read; try again');
      });
    },
  };
}

function keyOf({ tenant, repository, commit }: RepoCommit): string {
  return `${tenant}:${commit}:${repository}`;
}
