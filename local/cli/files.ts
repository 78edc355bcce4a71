// What goes wrong with files, in words, and JSON that people hand in.
import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { Stop } from '../bootstrap/stop.mjs';
import { exit } from './exit.ts';

const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be changed by this user',
  EISDIR: 'is a folder',
  ENOTDIR: 'goes through something that is no folder',
  EROFS: 'is on a file system that is read-only',
  ENOSPC: 'does not fit on the disk',
};

/** `keys.yaml: there is no such file`. Passes on what is no error of a file. */
export function problemOfFile(path: string, error: unknown): string {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') throw error;
  return `${path}: ${words[error.code] ?? error.message}`;
}

export interface Sources {
  readonly stdin: Readable;
  readonly path: (text: string) => string;
}

/** The text of an option: itself, `@file`, or `-` for stdin. Throws Stop when there is nothing to read. */
export async function readText(name: string, given: string, { stdin, path }: Sources): Promise<string> {
  if (given === '-') return readAll(stdin);
  if (!given.startsWith('@')) return given;
  const file = path(given.slice(1));
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Stop(`${name}: ${problemOfFile(file, error)}`, exit.usage);
  }
}

/** The same as a value of JSON. */
export async function readJsonOption(name: string, given: string, sources: Sources): Promise<unknown> {
  const text = await readText(name, given, sources);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Stop(`${name}: is not JSON (${error.message.split('\n', 1)[0] ?? ''})`, exit.usage);
  }
}
