// The key that the CLI shows to the gateway: from the environment or a file, never from the command line, which others can see.
import { readFileSync, statSync } from 'node:fs';
import { Stop } from '../bootstrap/stop.mjs';
import { exit } from './exit.ts';
import { problemOfFile } from './files.ts';

export interface KeySource {
  /** The path of `--key-file`, made absolute. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly warn: (line: string) => void;
}

/** The key, or undefined when there is none. Throws Stop for a file or text that cannot be one, without repeating it. */
export function readApiKey({ file, env, warn }: KeySource): string | undefined {
  const text = file === undefined ? (env['CORTEX_API_KEY'] ?? '') : readKeyFile(file, warn);
  const name = file === undefined ? 'CORTEX_API_KEY' : `--key-file: ${file}`;
  const key = text.trim();
  if (key === '' && file === undefined) return undefined;
  if (/^[\x21-\x7e]{1,512}$/.test(key)) return key;
  throw new Stop(`${name}: must hold one key of 1 to 512 visible ASCII characters`, exit.usage);
}

function readKeyFile(file: string, warn: (line: string) => void): string {
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw new Stop(`--key-file: ${file}: is a folder`, exit.usage);
    const { mode } = stat;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      warn(`others may read ${file} (mode ${(mode & 0o777).toString(8)}): chmod 600 ${file}`);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Stop) throw error;
    throw new Stop(`--key-file: ${problemOfFile(file, error)}`, exit.usage);
  }
}
