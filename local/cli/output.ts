// Where the CLI writes: answers to stdout, everything else (progress, hints, warnings, errors) to stderr. Colours and a progress
// line that overwrites itself are for terminals alone; NO_COLOR is obeyed.
import { styleText } from 'node:util';
import type { Writable } from 'node:stream';
import { cut } from './text.ts';

/** A stream of the process, or a stand-in. */
export type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

type Env = Readonly<Record<string, string | undefined>>;

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Output {
  /** Lines of the answer. */
  print(...lines: readonly string[]): void;
  /** A piece of the answer, as it is. */
  write(text: string): void;
  /** A JSON text as the gateway sent it. */
  json(text: string): void;
  /** A line beside the answer. */
  note(line: string): void;
  /** What is going on, until `done`; the same text is not said twice where lines stay. `seconds` is shown where they do not. */
  progress(text: string, seconds: number): void;
  /** Takes the progress line away. */
  done(): void;
  /** Coloured for stdout, or not. */
  paint(style: Style, text: string): string;
  /** Columns of stdout; without a terminal there is no limit. */
  readonly width: number;
  /** Whether a progress line is shown and taken away again. */
  readonly live: boolean;
}

export function createOutput(streams: { readonly stdout: Stream; readonly stderr: Stream }, env: Env): Output {
  const { stdout, stderr } = streams;
  const dumb = env['TERM'] === 'dumb';
  const live = stderr.isTTY === true && !dumb;
  const colours = coloursOn(stdout, env, dumb);
  let shown = false;
  let said = '';
  const clear = (): void => {
    if (shown) stderr.write('\r\u001b[2K');
    shown = false;
  };
  return {
    width: stdout.isTTY === true ? Math.max(40, stdout.columns ?? 80) : Number.POSITIVE_INFINITY,
    live,
    print(...lines) {
      clear();
      stdout.write(lines.map((line) => `${line}\n`).join(''));
    },
    write(text) {
      clear();
      stdout.write(text);
    },
    json(text) {
      clear();
      stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    },
    note(line) {
      clear();
      stderr.write(`${line}\n`);
    },
    progress(text, seconds) {
      if (live) {
        const time = seconds < 1 ? '' : `  ${Math.floor(seconds)} s`;
        // One column less than there are: some terminals break the line when the last one is written.
        stderr.write(`\r\u001b[2K${cut(text, Math.max(10, (stderr.columns ?? 80) - 1 - time.length))}${time}`);
        shown = true;
      } else if (text !== said) stderr.write(`${text}\n`);
      said = text;
    },
    done: clear,
    paint: (style, text) => (colours ? styleText(style, text, { validateStream: false }) : text),
  };
}

/** no-color.org: any value but the empty one. FORCE_COLOR is for those who pipe into a pager that knows colours. */
function coloursOn(stdout: Stream, env: Env, dumb: boolean): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const forced = env['FORCE_COLOR'] ?? '';
  if (forced !== '') return forced !== '0';
  return stdout.isTTY === true && !dumb;
}
