// Builds windows: what the memory holds, what its repository has to say, and what is asked, chosen by core/context/window.ts.
import { CortexError } from '#core/errors.ts';
import type { ContextMode } from '#core/context/engine.ts';
import { rememberedFor } from '#core/context/memory/recalled-pieces.ts';
import type { MemoryName } from '#core/context/memory/log.ts';
import { loadTokenizer } from '#core/context/load-tokenizer.ts';
import type { Piece } from '#core/context/piece.ts';
import { foundPieces } from '#core/context/repo/found-pieces.ts';
import { MAX_TEXT } from '#core/context/repo/search.ts';
import type { Asked } from '#core/context/user-message.ts';
import { buildWindow, type Window } from '#core/context/window.ts';
import type { ModelMessage } from '#core/model/model.ts';
import { unwrap } from '#core/result.ts';
import type { Log } from '#core/log.ts';
import type { Meanings } from './meanings.ts';
import type { Memories, OpenMemory } from './memories.ts';
import type { OpenRepository, Repositories } from './repositories.ts';

export interface WindowRequest {
  readonly tenant: string;
  /** Empty: none. */
  readonly memory: string;
  readonly mode: ContextMode;
  /** As its provider calls it. */
  readonly model: string;
  readonly asked: Asked;
  readonly system: readonly string[];
  /** Behind what the memory holds. */
  readonly history: readonly ModelMessage[];
  readonly maxInputTokens: number;
  readonly reserve: number;
  readonly explain: boolean;
  /** undefined: as the memory is now. */
  readonly before: number | undefined;
  /** undefined: the memory's own. */
  readonly repository: string | undefined;
  readonly commit: string | undefined;
  readonly excludePaths: readonly string[];
  /** That the memory must have; empty: any. */
  readonly epoch: string;
  /** Whatever the memory speaks of. */
  readonly withoutRepository: boolean;
}

export interface BuiltWindow {
  readonly window: Window;
  /** Number of the memory's next entry when it was read. */
  readonly next: number;
  /** Of the memory. */
  readonly epoch: string;
  /** Where pieces with lines are from. */
  readonly repository: OpenRepository | undefined;
}

/** Chunks that a window may choose from: more than it has room for, since some are small. */
const mostChunks = 80;
const tokensOfSmallChunk = 150;

/** What history may take of the room where pieces want the rest. */
const historyShare: Readonly<Record<ContextMode, number>> = { raw: 1, chat: 0.6, rag: 0.3 };

export interface WindowsDeps {
  readonly memories: Memories;
  readonly repositories: Repositories;
  readonly log: Log;
  readonly meanings: Meanings;
}

export type BuildWindow = (request: WindowRequest) => Promise<BuiltWindow>;

/** Throws CortexError: `out_of_range` when what must be in does not fit, `not_found` for a repository that was named and is not there. */
export function createWindows({ memories, repositories, meanings, log }: WindowsDeps): BuildWindow {
  return async (request) => {
    const { mode, asked, history, explain } = request;
    const tokenizer = await loadTokenizer(request.model);
    const memory = mode === 'raw' || request.memory === '' ? undefined : await memories.open(nameOf(request));
    if (memory !== undefined) checkPast(memory, request);
    const next = Math.min(memory?.next ?? 0, request.before ?? Number.POSITIVE_INFINITY);
    const remembered =
      memory === undefined ? undefined : rememberedFor(memory.recall, { text: asked.text, before: next });
    const repository = mode === 'rag' ? await openRepository(request, memory) : undefined;
    const found = repository === undefined ? [] : await findPieces(request, repository);
    const window = buildWindow(
      {
        system: request.system,
        history: [...(remembered?.history ?? []), ...history],
        pieces: [...(remembered?.pieces ?? []), ...found],
        user: asked.text,
        budget: {
          maxInputTokens: request.maxInputTokens,
          reserve: request.reserve,
          historyShare: historyShare[mode],
        },
        explain,
      },
      tokenizer,
    );
    return { window: unwrap(window), next, epoch: memory?.epoch ?? '', repository };
  };

  async function openRepository(request: WindowRequest, memory: OpenMemory | undefined) {
    const { tenant, repository, commit, withoutRepository } = request;
    if (repository === undefined) {
      const bound = withoutRepository ? undefined : memory?.bound;
      if (bound === undefined) return undefined;
      try {
        // What was bound and is gone since is not there: the window goes without it.
        return await repositories.open({ tenant, repository: bound.repository }, bound.commit);
      } catch (error) {
        // Nor is an index that an engine of another version made, or a damaged one: its scan makes it anew.
        if (!(error instanceof CortexError) || !/^(?:failed_precondition|data_loss)$/.test(error.code)) throw error;
        log.warn('the index of a memory cannot be read; the window goes without', { tenant, ...bound, error });
        return undefined;
      }
    }
    const open = await repositories.open({ tenant, repository }, commit);
    if (open !== undefined) return open;
    throw noRepository(commit);
  }

  async function findPieces(request: WindowRequest, at: OpenRepository): Promise<Piece[]> {
    const { asked, excludePaths, maxInputTokens } = request;
    const limit = Math.min(mostChunks, 10 + Math.ceil(maxInputTokens / tokensOfSmallChunk));
    const text = `${asked.text.slice(0, MAX_TEXT - asked.filePath.length - 1)}\n${asked.filePath}`;
    const boosts = Object.fromEntries(excludePaths.map((path) => [path, 0]));
    const found = unwrap(at.search.search(await meanings.near({ text, limit, boosts }, at)));
    return foundPieces(found, await repositories.files(at, found));
  }
}

/** Throws `failed_precondition` for a past that the memory has no more. */
function checkPast({ epoch, first }: OpenMemory, request: Pick<WindowRequest, 'epoch' | 'before'>): void {
  const gone = (why: string): CortexError =>
    new CortexError('failed_precondition', `the memory is not what it was: ${why}`, { field: 'before' });
  if (request.epoch !== '' && request.epoch !== epoch) throw gone('it was forgotten since');
  if (request.before !== undefined && request.before > 0 && first > 0) throw gone('its beginning was let go since');
}

/** What is said of a repository that is not there. */
export function noRepository(commit: string | undefined): CortexError {
  const what =
    commit === undefined ? 'repository: there is none of that name' : 'commit: the repository has none of that name';
  return new CortexError('not_found', `${what}; IngestRepo, or a scan, brings it`, {
    field: commit === undefined ? 'repository' : 'commit',
  });
}

function nameOf({ tenant, memory }: Pick<WindowRequest, 'tenant' | 'memory'>): MemoryName {
  return { tenant, memory };
}
