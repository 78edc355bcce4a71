// The lines that a person types, or that come through a pipe. Ctrl-C means what the moment means: at the prompt it leaves, during an
// answer it stops that.
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface Lines {
  /** A person types, and sees a prompt. */
  readonly interactive: boolean;
  /** The next line; undefined when there is none any more, or the person leaves. */
  next(): Promise<string | undefined>;
  /** Does the work; Ctrl-C aborts its signal. */
  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  close(): void;
}

/** `terminal`: where the prompt is written, if it is one. */
export function openLines(stdin: Readable & { isTTY?: boolean }, terminal: NodeJS.WriteStream, prompt: string): Lines {
  const interactive = stdin.isTTY === true && terminal.isTTY;
  const reader = createInterface({
    input: stdin,
    ...(interactive ? { output: terminal, terminal: true, prompt } : { terminal: false }),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  const waiting: string[] = [];
  let closed = false;
  let heard: (() => void) | undefined;
  let stop: AbortController | undefined;
  const hear = (): void => {
    heard?.();
    heard = undefined;
  };
  reader.on('line', (line) => {
    waiting.push(line);
    hear();
  });
  reader.on('close', () => {
    closed = true;
    hear();
  });
  reader.on('SIGINT', () => {
    if (stop !== undefined) return stop.abort();
    terminal.write('\n');
    reader.close();
  });
  return {
    interactive,
    async next() {
      const line = waiting.shift();
      if (line !== undefined || closed) return line;
      if (interactive) reader.prompt();
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
      return waiting.shift();
    },
    async during(work) {
      stop = new AbortController();
      try {
        return await work(stop.signal);
      } finally {
        stop = undefined;
      }
    },
    close: () => reader.close(),
  };
}
