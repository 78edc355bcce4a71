// What a command writes, kept for a look: streams that may claim to be a terminal.
import { Writable } from 'node:stream';
import { createOutput, type Output, type Stream } from '../../local/cli/output.ts';

export interface Captured {
  readonly out: Output;
  stdout(): string;
  stderr(): string;
}

export interface CapturedOptions {
  /** Columns of a terminal; undefined: no terminal. */
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export function capture({ columns, env = {} }: CapturedOptions = {}): Captured {
  const terminal = columns === undefined ? {} : { isTTY: true, columns };
  const text = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr'): Stream => {
    const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
      text[name] += chunk.toString();
      done();
    };
    return Object.assign(new Writable({ write }), terminal);
  };
  const out = createOutput({ stdout: stream('stdout'), stderr: stream('stderr') }, env);
  return { out, stdout: () => text.stdout, stderr: () => text.stderr };
}
