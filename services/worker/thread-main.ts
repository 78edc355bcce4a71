// The other side of threads.ts: what a handler's module calls in its own thread. One job at a time. Example of such a module:
//
//   import { serveThread } from './thread-main.ts';
//   serveThread<Input>((input, { signal, progress }) => compute(input));
//
// A handler that computes without a pause never hears of an abort; then the host ends the thread under it. What it leaves running when
// it returns is not heard any more.
import { parentPort } from 'node:worker_threads';
import type { Log, LogFields } from '#core/log.ts';
import type { Handler, JobContext } from './define.ts';
import type { FromThread, ThreadWord, ToThread } from './thread-messages.ts';
import { packThrown, unpackThrown } from './thrown.ts';

/** The job that is in the thread. */
interface Run {
  readonly number: number;
  readonly controller: AbortController;
  /** Artifacts whose storing has not been answered. One that is asked for after the end never is. */
  readonly stored: Map<number, { resolve: (pointer: string) => void; reject: (error: Error) => void }>;
}

/** Serves jobs with this handler until the host ends the thread. Throws outside a thread. */
export function serveThread<I, O = unknown>(handler: Handler<I, O>): void {
  const port = parentPort;
  if (port === null) throw new Error('this module is a worker thread of the worker host and cannot be run by itself');
  let current: Run | undefined;
  let seq = 0;

  const run = async ({ run: number, input, context }: Extract<ToThread, { type: 'run' }>): Promise<void> => {
    const controller = new AbortController();
    const stored: Run['stored'] = new Map();
    const mine: Run = { number, controller, stored };
    current = mine;
    const say = (word: ThreadWord): void => {
      if (current === mine) port.postMessage({ ...word, run: number } satisfies FromThread);
    };
    try {
      const value = await handler(input as I, {
        ...context,
        signal: controller.signal,
        progress: (percent, message = '') => say({ type: 'progress', percent, message }),
        output: (text) => say({ type: 'output', text }),
        artifact: (name, bytes) =>
          new Promise((resolve, reject) => {
            stored.set(++seq, { resolve, reject });
            say({ type: 'artifact', seq, name, bytes });
          }),
        log: threadLog(say, {}),
        now: () => Date.now(),
      } satisfies JobContext);
      say({ type: 'value', value });
    } catch (error) {
      say({ type: 'error', error: packThrown(error) });
    } finally {
      if (current === mine) current = undefined;
    }
  };

  port.on('message', (message: ToThread) => {
    if (message.type === 'run') {
      void run(message);
      return;
    }
    if (current?.number !== message.run) return;
    const { controller, stored } = current;
    switch (message.type) {
      case 'abort':
        controller.abort(unpackThrown(message.reason));
        return;
      case 'artifact':
        stored.get(message.seq)?.resolve(message.pointer);
        break;
      case 'artifact_failed':
        stored.get(message.seq)?.reject(unpackThrown(message.error));
        break;
    }
    stored.delete(message.seq);
  });
}

function threadLog(say: (word: ThreadWord) => void, base: LogFields): Log {
  const line = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
    say({ type: 'log', level, message, fields: fieldsText({ ...base, ...fields }) });
  };
  return {
    level: 'debug', // the host's own threshold decides
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    with: (fields) => threadLog(say, { ...base, ...fields }),
  };
}

/** Fields as JSON: errors become data, and what cannot be cloned does not stop the job. */
function fieldsText(fields: LogFields): string {
  const seen = (_key: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return value.toString();
    return value instanceof Error ? packThrown(value) : value;
  };
  try {
    return JSON.stringify(fields, seen);
  } catch (error) {
    return JSON.stringify({ log_error: String(error) });
  }
}
