// Reads repositories in a thread, one after the other, so that windows are built meanwhile.
import { Worker } from 'node:worker_threads';
import { CortexError } from '#core/errors.ts';
import type { KeptFile } from '#core/context/repo/repos.ts';
import type { ThrownData } from '../worker/thread-messages.ts';
import { unpackThrown } from '../worker/thrown.ts';
import type { Indexed } from './index-archive.ts';

export type ToIngest =
  | { readonly type: 'index'; readonly archive: Uint8Array; readonly old: Uint8Array | undefined }
  | { readonly type: 'pack'; readonly prints: readonly string[] }
  | { readonly type: 'done' };

export interface IndexedWord extends Omit<Indexed, 'contents'> {
  /** Files that have chunks. */
  readonly prints: readonly string[];
}

export type FromIngest =
  | ({ readonly type: 'indexed' } & IndexedWord)
  | { readonly type: 'packed'; readonly files: readonly KeptFile[] }
  | { readonly type: 'failed'; readonly error: ThrownData };

export interface OpenArchive extends IndexedWord {
  /** These files, packed. */
  pack(prints: readonly string[]): Promise<readonly KeptFile[]>;
}

export interface ToIndex {
  readonly archive: Uint8Array;
  /** The index of an earlier commit. */
  readonly old: Uint8Array | undefined;
}

export interface Ingester {
  /**
   * Indexes an archive. `read` fetches it when its turn has come, so that those who wait hold none; `use` stores what came of it, and the next
   * one's turn comes when it has returned. Throws what the archive is refused with, `resource_exhausted` when too many wait or the thread
   * ran out of memory, `aborted` at the end.
   */
  index<T>(read: () => Promise<ToIndex>, use: (open: OpenArchive) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Heap of the thread, MiB: half of it is the files of the largest archive. */
const heapMb = 2_048;
/** Archives that are read or wait for it. */
const mostWaiting = 16;

/** The thread starts with the first archive, and is kept: its grammars are 20 MB. */
export function createIngester(): Ingester {
  let thread: Worker | undefined;
  let heard: ((word: FromIngest | Error) => void) | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let closed = false;

  const start = (): Worker => {
    const worker = new Worker(new URL('./ingest.thread.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    // After an error comes the exit, when another thread may have begun with the next archive.
    const gone = (error: Error): void => {
      if (thread !== worker) return;
      thread = undefined;
      heard?.(error);
    };
    worker.on('message', (word: FromIngest) => {
      if (thread === worker) heard?.(word);
    });
    worker.on('error', (error: unknown) => gone(crash(error)));
    worker.on('exit', (code) =>
      gone(new CortexError('aborted', `the thread that reads repositories ended with ${code}`)),
    );
    worker.unref();
    return worker;
  };
  /** Another thread knows nothing of the archive that this one has read. */
  const ask = async (worker: Worker, word: ToIngest): Promise<FromIngest> => {
    if (closed) throw stopped();
    if (thread !== worker) throw new CortexError('aborted', 'the thread that read the repository has ended');
    return new Promise((resolve, reject) => {
      heard = (answer) => {
        heard = undefined;
        if (answer instanceof Error) reject(answer);
        else if (answer.type === 'failed') reject(unpackThrown(answer.error));
        else resolve(answer);
      };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage(word);
    });
  };
  const one = async <T>(read: () => Promise<ToIndex>, use: (open: OpenArchive) => Promise<T>): Promise<T> => {
    if (closed) throw stopped();
    const { archive, old } = await read();
    if (closed) throw stopped();
    const worker = (thread ??= start());
    const indexed = await ask(worker, { type: 'index', archive, old });
    if (indexed.type !== 'indexed') throw new Error(`the thread answered ${indexed.type} to an archive`);
    try {
      return await use({
        ...indexed,
        async pack(prints) {
          const packed = await ask(worker, { type: 'pack', prints });
          return packed.type === 'packed' ? packed.files : [];
        },
      });
    } finally {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage({ type: 'done' } satisfies ToIngest);
    }
  };
  return {
    async index(read, use) {
      if (waiting >= mostWaiting)
        throw new CortexError('resource_exhausted', `${waiting} repositories wait to be read; try again later`);
      waiting++;
      const mine = last.then(() => one(read, use));
      last = mine.catch(() => undefined);
      try {
        return await mine;
      } finally {
        waiting--;
      }
    },
    async close() {
      closed = true;
      await thread?.terminate();
    },
  };
}

function stopped(): CortexError {
  return new CortexError('aborted', 'the context engine is stopping');
}

function crash(error: unknown): Error {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY')
    return new CortexError('resource_exhausted', 'the repository is too large to be indexed', { cause: error });
  return error instanceof Error ? error : new Error('the thread that reads repositories died', { cause: error });
}
