// What the repository workers read from the environment.
import { delimiter, isAbsolute } from 'node:path';
import type { EnvVar } from '#core/process/env.ts';
import { int } from '#core/process/variables.ts';
import { err, ok } from '#core/result.ts';

const localRoots: EnvVar<readonly string[] | undefined> = {
  name: 'REPO_LOCAL_ROOTS',
  default: undefined,
  what: 'the only folders that repository jobs may read; unset: none. `npm start` names the checkout',
  type: `absolute paths separated by "${delimiter}"`,
  required: false,
  secret: false,
  parse(text) {
    const paths = text.split(delimiter).filter((path) => path !== '');
    const wrong = paths.find((path) => !isAbsolute(path) || path.includes('\0'));
    return wrong === undefined
      ? ok(Object.freeze(paths))
      : err(`holds ${JSON.stringify(wrong)}, which is no absolute path`);
  },
};

export const repoEnv = {
  localRoots,
  minScanFiles: int('MIN_SCAN_FILES', '1', 'a scan that finds fewer files is a failure', { min: 0, max: 1_000_000 }),
};
