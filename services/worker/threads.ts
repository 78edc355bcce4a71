// Threads for handlers that compute, so that they starve neither renewals nor each other. One job at a time in each; a thread is kept
// for the next job of the same module for a while. How many there are at once is bounded by the slots of the workers.
// An abort is told first; a thread that does not answer soon is ended, whatever it is doing. A thread that dies takes only its job along.
import { Worker } from 'node:worker_threads';
import { CortexError, toCortexError } from '#core/errors.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import type { JobContext } from './define.ts';
import type { FromThread, HostWord, ToThread } from './thread-messages.ts';
import { packThrown, unpackThrown } from './thrown.ts';

export interface ThreadsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long a told thread may take to answer, ms. Default 200. */
  readonly abortMs?: number;
  /** How long an idle thread is kept, ms. Default 30,000. */
  readonly idleMs?: number;
  /** Heap of one thread, MiB. Default 512. */
  readonly heapMb?: number;
}

export interface Threads {
  /** What the module's handler answers. Throws what it throws; `aborted` when it was ended, Error when the thread died. */
  run(module: URL, input: unknown, context: JobContext): Promise<unknown>;
  /** Threads that live. */
  readonly size: number;
  /** Ends all threads, busy ones too. */
  close(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  readonly href: string;
  /** Set while it has a job. */
  onMessage: ((message: FromThread) => void) | undefined;
  onGone: ((error: Error) => void) | undefined;
  cancelIdle: () => void;
}

export function createThreads(options: ThreadsOptions): Threads {
  const { clock, log, abortMs = 200, idleMs = 30_000, heapMb = 512 } = options;
  const all = new Set<Thread>();
  const idle: Thread[] = [];
  let runs = 0;

  const start = (module: URL): Thread => {
    const worker = new Worker(module, { resourceLimits: { maxOldGenerationSizeMb: heapMb }, stdin: false });
    const thread: Thread = {
      worker,
      href: module.href,
      onMessage: undefined,
      onGone: undefined,
      cancelIdle: () => undefined,
    };
    all.add(thread);
    const gone = (error: Error): void => {
      all.delete(thread);
      const at = idle.indexOf(thread);
      if (at >= 0) idle.splice(at, 1);
      thread.cancelIdle();
      thread.onGone?.(error);
    };
    worker.on('message', (message: FromThread) => thread.onMessage?.(message));
    worker.on('error', (error: unknown) => gone(crash(error)));
    worker.on('messageerror', (error) => {
      gone(crash(error)); // nobody knows what it wanted to say, nor whether it goes on
      terminate(thread);
    });
    worker.on('exit', (code) => gone(new Error(`the handler's thread ended with code ${code}`)));
    // An idle thread must not keep the process alive; a busy one does by what waits for it.
    worker.unref();
    return thread;
  };

  const take = (module: URL): Thread => {
    const at = idle.findLastIndex((t) => t.href === module.href);
    const thread = idle[at];
    if (thread === undefined) return start(module);
    idle.splice(at, 1);
    thread.cancelIdle();
    return thread;
  };

  const giveBack = (thread: Thread): void => {
    if (!all.has(thread)) return;
    idle.push(thread);
    thread.cancelIdle = clock.after(idleMs, () => end(thread));
  };

  const end = (thread: Thread): void => {
    all.delete(thread);
    const at = idle.indexOf(thread);
    if (at >= 0) idle.splice(at, 1);
    thread.cancelIdle();
    terminate(thread);
  };

  const terminate = ({ worker }: Thread): void => {
    worker.terminate().catch((error: unknown) => log.error('a thread could not be ended', { error }));
  };

  const run = (module: URL, input: unknown, context: JobContext): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const { signal } = context;
      if (signal.aborted) {
        reject(toCortexError(signal.reason));
        return;
      }
      const thread = take(module);
      const number = ++runs;
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      const say = (word: HostWord): void => thread.worker.postMessage({ ...word, run: number } satisfies ToThread);
      let cancelAbort: () => void = () => undefined;

      let told = false;
      const onAbort = (): void => {
        told = true;
        say({ type: 'abort', reason: packThrown(signal.reason) });
        cancelAbort = clock.after(abortMs, () => {
          finish();
          reject(new CortexError('aborted', 'the handler did not stop and its thread was ended'));
        });
      };
      const finish = (): void => {
        signal.removeEventListener('abort', onAbort);
        cancelAbort();
        thread.onMessage = undefined;
        thread.onGone = undefined;
        // Who knows what still goes on in a thread whose handler was interrupted.
        if (told) end(thread);
        else giveBack(thread);
      };

      thread.onGone = (error) => {
        finish();
        reject(error);
      };
      thread.onMessage = (message) => {
        if (message.run !== number) return; // of a job that was here before
        switch (message.type) {
          case 'value':
            finish();
            resolve(message.value);
            break;
          case 'error':
            finish();
            reject(unpackThrown(message.error));
            break;
          case 'progress':
            context.progress(message.percent, message.message);
            break;
          case 'output':
            context.output(message.text);
            break;
          case 'log':
            context.log[message.level](message.message, JSON.parse(message.fields) as Record<string, unknown>);
            break;
          case 'artifact': {
            const { seq } = message;
            context.artifact(message.name, message.bytes).then(
              (pointer) => say({ type: 'artifact', seq, pointer }),
              (error: unknown) => say({ type: 'artifact_failed', seq, error: packThrown(error) }),
            );
            break;
          }
        }
      };
      const { job, worker, fence, hold, idempotencyKey, constraints } = context;
      try {
        say({ type: 'run', input, context: { job, worker, fence, hold, idempotencyKey, constraints } });
      } catch (error) {
        finish();
        reject(toCortexError(error));
        return;
      }
      signal.addEventListener('abort', onAbort);
    });

  return {
    run,
    get size() {
      return all.size;
    },
    async close() {
      const ending = Array.from(all, (thread) => thread.worker.terminate());
      all.clear();
      idle.length = 0;
      await Promise.all(ending);
    },
  };
}

/** What killed a thread. Running out of its heap is worth another attempt, perhaps beside fewer jobs. */
function crash(error: unknown): Error {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new CortexError('resource_exhausted', "the handler's thread ran out of memory", { cause: error });
  }
  return error instanceof Error ? error : new Error("the handler's thread died", { cause: error });
}
