// Looks for a configuration file. Nothing is thrown: what is wrong is told with the other problems.
import { readFileSync } from 'node:fs';
import type { FoundFile } from './config-file.ts';

const words: Readonly<Record<string, string>> = { EISDIR: 'it is a folder', EACCES: 'this user may not read it' };

/** The file as it is now; a folder or a file that may not be read is a fault. */
export function findFile(path: string): FoundFile {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return { path, text: undefined };
    return {
      path,
      text: undefined,
      fault: words[String(code)] ?? (error instanceof Error ? error.message : String(error)),
    };
  }
}
