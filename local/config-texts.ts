// The configuration texts that go into Redis: where each comes from, and who says whether it is sound.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { StoredName } from '#core/config/stored.ts';
import { parseApiKeys } from '#core/http/api-keys.ts';
import { parsePolicyText } from '#core/policy/source.ts';
import { parseConfigText } from '#core/process/config-file.ts';
import type { Result } from '#core/result.ts';
import { parsePools } from '#core/routing/pools.ts';
import { parseTimeouts } from '#core/scheduling/timeouts.ts';
import { Stop } from './bootstrap/stop.mjs';
import { problemOfFile } from './cli/files.ts';

export interface Kind {
  /** The variable that names the file for a process with files. */
  readonly variable: string;
  /** From the root of a checkout; none: pushed only when the variable or an option names a file. */
  readonly file: string | undefined;
  readonly parse: (content: string) => Result<unknown, readonly string[]>;
}

export const kinds: Readonly<Record<StoredName, Kind>> = {
  policy: { variable: 'SAFETY_POLICY_PATH', file: 'config/safety.yaml', parse: parsePolicyText },
  keys: { variable: 'API_KEYS_PATH', file: undefined, parse: parseApiKeys },
  pools: {
    variable: 'POOL_CONFIG_PATH',
    file: 'config/pools.yaml',
    parse: (content) => parseConfigText(content, parsePools),
  },
  timeouts: {
    variable: 'TIMEOUT_CONFIG_PATH',
    file: 'config/timeouts.yaml',
    parse: (content) => parseConfigText(content, parseTimeouts),
  },
};

export interface ConfigText {
  readonly name: StoredName;
  /** As a person knows it. */
  readonly path: string;
  readonly content: string;
}

export interface TextPlaces {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where given paths begin, and the root of the checkout. */
  readonly cwd: string;
  readonly checkout: string;
}

/** The text of `name`: of the file that was given or that its variable names, else of this checkout; undefined when there is none. */
export function findText(
  name: StoredName,
  given: string | undefined,
  { env, cwd, checkout }: TextPlaces,
): ConfigText | undefined {
  const { variable, file } = kinds[name];
  const said = given ?? (env[variable] || undefined);
  if (said === undefined && file === undefined) return undefined;
  const path = said === undefined ? join(checkout, file ?? '') : resolve(cwd, said);
  const shown = said ?? path;
  try {
    return { name, path: shown, content: readFileSync(path, 'utf8') };
  } catch (error) {
    throw new Stop(problemOfFile(shown, error), 2);
  }
}

/** Throws Stop with every problem of every text. */
export function assertSound(texts: readonly ConfigText[]): void {
  const wrong = texts.flatMap(({ name, path, content }) => {
    const parsed = kinds[name].parse(content);
    return parsed.ok ? [] : parsed.error.map((problem) => `${path}: ${problem}`);
  });
  if (wrong.length > 0) throw new Stop(wrong.join('; '), 2);
}
