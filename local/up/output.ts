// What services say: everything to .cortex/log/<service>.log, to the terminal only what a person should
// look at (warnings, errors, crashes), in one readable line each and never as a flood.
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';

const LOUD = new Set(['warn', 'warning', 'error', 'fatal']);
const KEEP_BYTES = 20_000_000;
const BURST = 12;
const BURST_MS = 10_000;

export interface Output {
  capture(name: string, child: ChildProcess): void;
  folder: string;
}

export function createOutput(root: string, print: (line: string) => void): Output {
  const folder = join(root, '.cortex', 'log');
  mkdirSync(folder, { recursive: true });
  return {
    folder,
    capture(name, child) {
      const file = join(folder, `${name}.log`);
      const loud = limit(name, file, print);
      const take = (line: string, isError: boolean) => {
        append(file, line);
        const shown = readable(line, isError);
        if (shown !== undefined) loud(shown);
      };
      if (child.stdout !== null) lines(child.stdout).on('line', (line) => take(line, false));
      if (child.stderr !== null) lines(child.stderr).on('line', (line) => take(line, true));
    },
  };
}

function lines(stream: Readable): Interface {
  return createInterface({
    input: stream,
    crlfDelay: Number.POSITIVE_INFINITY,
  });
}

function append(file: string, line: string): void {
  appendFileSync(file, `${line}\n`);
  const { size } = statSync(file);
  if (size > KEEP_BYTES) renameSync(file, `${file}.1`);
}

/** A log line as a person reads it; undefined when it need not be shown. */
export function readable(line: string, isError: boolean): string | undefined {
  const entry = parse(line);
  // What is no log line of ours comes from Node itself: the stack of a crash, a warning.
  if (entry === undefined) return isError && line.trim() !== '' ? line : undefined;
  const { ts: _ts, level, msg, service: _service, ...fields } = entry;
  if (typeof level !== 'string' || !LOUD.has(level)) return undefined;
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : brief(value)}`,
  );
  return [level, typeof msg === 'string' ? msg : '', ...rest].join(' ').slice(0, 500);
}

// Of an error its message; the whole of it is in the file.
function brief(value: unknown): string {
  const message = typeof value === 'object' && value !== null && 'message' in value ? value.message : undefined;
  return typeof message === 'string' ? message : (JSON.stringify(value) ?? String(value));
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function limit(name: string, file: string, print: (line: string) => void): (line: string) => void {
  let window = 0;
  let shown = 0;
  return (line) => {
    const now = Date.now();
    if (now - window > BURST_MS) {
      window = now;
      shown = 0;
    }
    shown++;
    if (shown <= BURST) print(`${name.padEnd(12)} ${line}`);
    if (shown === BURST + 1) print(`${name.padEnd(12)} ... more in ${file}`);
  };
}
