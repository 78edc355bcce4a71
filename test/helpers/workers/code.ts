// The worker of job.code.llm with a model that plays what is written down, and its patches tried with a git of the test's own.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createMemoryModel, type MemoryModel, type Turn } from '#core/model/memory.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import { codeResult, type CodeResult } from '#core/protocol/code-payloads.ts';
import { unwrap } from '#core/result.ts';
import { codeLlm } from '../../../services/worker/code/code.ts';
import type { JobContext } from '../../../services/worker/define.ts';
import { noEngine } from '../context/no-engine.ts';
import { jobContext } from './context.ts';

export interface CodeRig {
  readonly model: MemoryModel;
  /** The result of a job with this payload. */
  run(payload: unknown, context?: Partial<JobContext>): Promise<CodeResult>;
}

export function codeRig(git?: string): CodeRig {
  const model = createMemoryModel();
  const definition = codeLlm({ default: model, concurrency: 3, cost: () => 0.5 }, noEngine, git);
  return {
    model,
    async run(payload, context = {}) {
      if (!('here' in definition.run)) throw new Error('it runs here');
      const input = unwrap(definition.parse(payload));
      const result = unwrap(definition.check(await definition.run.here(input, jobContext(context))));
      return unwrap(parsePayload(codeResult, result));
    },
  };
}

/** A turn that calls the worker's tool. */
export function submits(input: unknown, name = 'submit_patch'): Turn {
  return {
    parts: [
      { type: 'tool_call', id: 'call-1', name, input },
      { type: 'end', model: 'memory', finish: 'tool_calls', usage: { inputTokens: 3, outputTokens: 2 } },
    ],
  };
}

const env = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
};

/** Calls `use` with a folder that holds these files and goes away. */
export function inFolder<T>(files: Readonly<Record<string, string>>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'cortex-code-test-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What plain `git apply --check` and `git apply` make of the file with this patch. Throws as git says. */
export function applied(path: string, original: string, patch: string): string {
  return inFolder({ [path]: original }, (folder) => {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, input: patch, env, stdio: 'pipe' });
    git('apply', '--check');
    git('apply');
    return readFileSync(join(folder, path), 'utf8');
  });
}

/** The diff that git makes between two texts. */
export function diffBetween(path: string, before: string, after: string, context = 3): string {
  return inFolder({ [`a/${path}`]: before, [`b/${path}`]: after }, (folder) => {
    try {
      const args = [
        '-c',
        'core.quotePath=false',
        'diff',
        '--no-index',
        '--no-prefix',
        '--text',
        `-U${context}`,
        `a/${path}`,
        `b/${path}`,
      ];
      return execFileSync('git', args, { cwd: folder, env, stdio: 'pipe' }).toString('utf8');
    } catch (error) {
      return String((error as { stdout: Buffer }).stdout); // 1: they differ
    }
  });
}
