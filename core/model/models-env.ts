// What those who read config/models.yaml share: where it is, and the keys that it names.
import { type FoundFile, parseConfigFile } from '#core/process/config-file.ts';
import { type Env, EnvError } from '#core/process/env.ts';
import { path } from '#core/process/variables.ts';
import type { Result } from '#core/result.ts';

const defaultPath = 'config/models.yaml';

/** MODELS_PATH, and what its reader takes from the file. */
export function modelsPathEnv(what: string) {
  return path('MODELS_PATH', defaultPath, what);
}

/** What `parse` makes of the file; only the one that nobody named may be missing. Throws EnvError with every problem. */
export function readModels<T>(
  where: string,
  file: FoundFile,
  parse: (value: unknown) => Result<T, readonly string[]>,
): T {
  const read = parseConfigFile('MODELS_PATH', file, parse, where === defaultPath ? {} : undefined);
  if (!read.ok) throw new EnvError(read.error);
  return read.value;
}

/** The keys, which stay in the environment until they are asked for. */
export function modelKeys(env: Env): (variable: string) => string | undefined {
  return (variable) => env[variable]?.trim() || undefined;
}

/** Throws EnvError for keys that cannot be sent. */
export function assertSendable(
  variables: readonly (string | undefined)[],
  key: (variable: string) => string | undefined,
): void {
  const problems = variables.flatMap((variable) =>
    variable === undefined || /^[ -~]*$/.test(key(variable) ?? '')
      ? []
      : [`${variable}: holds a character that no header can, such as a typographic quote`],
  );
  if (problems.length > 0) throw new EnvError([...new Set(problems)]);
}
