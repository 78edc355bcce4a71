// What `npm test` runs, in this order, and what each name after `npm test --` means. Data and parsing only.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Stop } from '../bootstrap/stop.mjs';

export interface Suite {
  readonly name: string;
  /** Undefined: the static gates of local/verify.mjs. */
  readonly paths?: readonly string[];
  /** Files at a time, where the usual number (test/vitest.config.ts) is too many. */
  readonly atATime?: number;
}

const suites: readonly Suite[] = [
  { name: 'verify' },
  { name: 'unit', paths: ['test/unit'] },
  { name: 'contract', paths: ['test/contract'] },
  { name: 'http', paths: ['test/http'] },
  { name: 'workerd', paths: ['test/workerd'] },
  // Each file runs a whole system, and waits for leases and for the dead as long as it works: two of them fill two cores.
  { name: 'e2e', paths: ['test/e2e'], atATime: 2 },
  // What is counted depends on how much comes together, so on how busy the machine is.
  { name: 'bench-counters', paths: ['test/bench'], atATime: 1 },
];

/** Runs as part of verify, and by its name. */
const architecture: Suite = { name: 'architecture', paths: ['test/architecture'] };

export interface Chosen {
  readonly suites: readonly Suite[];
  /** Suites of the whole run whose folder is not there. */
  readonly absent: readonly string[];
  /** Only tests whose name matches, as with vitest. */
  readonly pattern: string | undefined;
  /** Tests that have a long version run that (CORTEX_LONG=1). */
  readonly long: boolean;
}

/** Reads names and paths; throws Stop for what is neither. Without any, everything is chosen. */
export function chooseSuites(root: string, args: readonly string[]): Chosen {
  const chosen: Suite[] = [];
  const paths: string[] = [];
  let pattern: string | undefined;
  let long = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const suite = [...suites, architecture].find(({ name }) => name === arg);
    const path = [arg, join('test', arg)].find((one) => arg !== '' && existsSync(join(root, one)));
    if (arg === '-t') {
      pattern = args[++i];
      if (pattern === undefined) throw new Stop('-t: needs the pattern of test names after it', 2);
      continue;
    } else if (arg === '--long') long = true;
    else if (suite !== undefined) chosen.push(suite);
    else if (path !== undefined) paths.push(path);
    else {
      const names = [...suites, architecture].map(({ name }) => name).join(', ');
      throw new Stop(`${arg}: neither a file nor one of ${names}, -t PATTERN, --long`, 2);
    }
  }
  if (paths.length > 0) chosen.push({ name: paths.join(' '), paths });
  if (chosen.length > 0) return { suites: chosen, absent: [], pattern, long };
  const there = (suite: Suite) => suite.paths?.some((path) => existsSync(join(root, path))) ?? true;
  return {
    suites: suites.filter(there),
    absent: suites.filter((suite) => !there(suite)).map(({ name }) => name),
    pattern,
    long,
  };
}
