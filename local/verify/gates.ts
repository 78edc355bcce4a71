// The static gates: what each one runs. The longest come first, so that two cores end at about the same time.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dependencyProblems } from './dependencies.ts';
import { fillGaps, type Lockfile, lockGaps } from './lock.ts';

export interface Outcome {
  readonly ok: boolean;
  /** What a person needs to see when it is not ok. */
  readonly output: string;
}

export interface Gate {
  readonly name: string;
  /** Runs only when it is named. */
  readonly onDemand?: boolean;
  /** Takes the repository root. */
  run(root: string): Promise<Outcome>;
}

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The folders with code of ours; proto/gen is generated. */
const CODE = ['core', 'functions', 'services', 'local', 'test'];

const TIMEOUT_MS = 300_000;

export const gates: readonly Gate[] = [
  {
    name: 'architecture',
    run: () => runTool(tool('vitest', 'run', '--config=test/vitest.config.ts', '--no-isolate', 'test/architecture')),
  },
  { name: 'proto', run: () => runTool([process.execPath, 'local/proto.mjs', '--check']) },
  { name: 'types', run: () => runTool(tool('tsc', '--build')) },
  { name: 'lint', run: () => runTool(tool('oxlint', '--format=unix', ...CODE)) },
  { name: 'dependencies', run: dependencies },
  // 40 seconds and 320 MB in .sst the first time: sst brings the types that its configuration is checked against.
  { name: 'sst', onDemand: true, run: sst },
  { name: 'format', run: () => runTool(tool('biome', 'format', '--config-path=local/tools/format.json', '.')) },
];

/** Puts right what needs no judgement: the format of every file, and platform packages missing from the lockfile. */
export async function fix(): Promise<string> {
  const formatted = await runTool(tool('biome', 'format', '--config-path=local/tools/format.json', '--write', '.'));
  const path = join(ROOT, 'package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lockfile;
  const gaps = lockGaps(lock).length;
  if (gaps === 0) return formatted.output.trim();
  writeFileSync(path, `${JSON.stringify(fillGaps(lock), null, 2)}\n`);
  return `${formatted.output.trim()}\nlockfile: ${gaps} platform packages had no entry`;
}

/** The command line of an installed tool, on this Node. */
export function tool(name: string, ...args: string[]): string[] {
  return [process.execPath, join('node_modules', '.bin', name), ...args];
}

/** Runs a command in the repository root. Ok means exit code 0; the output is both of its streams, in order. */
export function runTool(
  [command = '', ...args]: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const { FORCE_COLOR: _color, ...env } = process.env;
    const PATH = `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env['PATH'] ?? ''}`;
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...env, PATH, NO_COLOR: '1', ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', (error) => resolve({ ok: false, output: `${command}: ${error.message}` }));
    child.once('close', (code, signal) => {
      const end = signal === null ? '' : `\nended by ${signal}, after ${TIMEOUT_MS / 1000} s at most`;
      resolve({ ok: code === 0, output: output + end });
    });
  });
}

/** What no stage is run for: no provider, no credentials, nothing outside this checkout. */
const sstEnv = {
  AWS_EC2_METADATA_DISABLED: 'true',
  SST_SKIP_DEPENDENCY_CHECK: '1',
  SST_NO_BUN: '1',
  SST_TELEMETRY_DISABLED: '1',
};

async function sst(root: string): Promise<Outcome> {
  if (!existsSync(join(root, '.sst', 'platform', 'config.d.ts'))) {
    const env = { ...sstEnv, XDG_CONFIG_HOME: join(root, 'node_modules', '.cache', 'sst') };
    const installed = await runTool(tool('sst', 'install', '--stage', 'local'), env);
    if (!installed.ok) return installed;
  }
  return runTool(tool('tsc', '--project', 'local/tools/sst.tsconfig.json'));
}

async function dependencies(root: string): Promise<Outcome> {
  const read = (name: string): string => readFileSync(join(root, name), 'utf8');
  const problems = dependencyProblems({
    manifest: JSON.parse(read('package.json')),
    lock: JSON.parse(read('package-lock.json')) as Lockfile,
    npmrc: read('.npmrc'),
    readme: read('README.md'),
  });
  const installed = await runTool(['npm', 'ls', '--all']);
  if (!installed.ok) {
    const told = installed.output.split('\n').filter((line) => /ERR!|npm error|invalid|extraneous|missing/.test(line));
    problems.push('npm ls: what is installed is not what the lockfile says; run npm install', ...told);
  }
  return { ok: problems.length === 0, output: problems.join('\n') };
}
