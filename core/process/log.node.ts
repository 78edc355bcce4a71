// Log lines to stdout, gathered per turn of the event loop: one write for many lines. Nothing is lost at exit.
import { writeSync } from 'node:fs';

export interface LineWriter {
  readonly write: (line: string) => void;
  /** Everything written so far is with the operating system when it returns. */
  readonly flush: () => void;
}

/**
 * A writer to stdout. When the reader has gone, lines are dropped: a process must not die because nobody listens any more.
 */
export function createStdoutWriter(): LineWriter {
  let lines: string[] = [];
  let scheduled = false;
  const flush = (): void => {
    scheduled = false;
    if (lines.length === 0) return;
    const text = `${lines.join('\n')}\n`;
    lines = [];
    writeAll(text);
  };
  process.on('exit', flush);
  return {
    write(line) {
      lines.push(line);
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    },
    flush,
  };
}

/** Waits for a full pipe: it may be non-blocking, for it was set so by whoever shares it. */
function writeAll(text: string): void {
  let rest = Buffer.from(text, 'utf8');
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
