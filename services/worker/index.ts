// The workers that one image holds, by the short names of WORKERS. What each one needs from configuration, it is made with.
import type { Engine } from '#core/context/engine.ts';
import type { Models } from '#core/model/serve.ts';
import { chat } from './chat.ts';
import { codeLlm } from './code/code.ts';
import { chatAdvanced } from './chat-advanced.ts';
import type { WorkerDefinition } from './define.ts';
import { echo } from './echo.ts';
import { planner } from './plan/plan.ts';
import { type ReadResult, repoReport } from './repo/report.ts';
import type { FetchSettings } from './repo/fetch.ts';
import { type ReadArchives, repoScan } from './repo/scan.ts';

/** What workers are made with. */
export interface WorkerNeeds {
  /** Folders that repository jobs may read; undefined: none. */
  readonly localRoots: readonly string[] | undefined;
  readonly minScanFiles: number;
  readonly fetch: FetchSettings;
  readonly archives: ReadArchives;
  readonly readResult: ReadResult;
  /** Memories and repositories. */
  readonly engine: Engine;
  /** undefined: no model is configured. */
  readonly models: Models | undefined;
}

/** Every worker there is, by short name. */
export const workers = {
  echo: () => echo,
  chat: ({ models }) => chat(models),
  'code-llm': ({ models, engine }) => codeLlm(models, engine),
  planner: ({ models }) => planner(models),
  'chat-advanced': ({ models, engine }) => chatAdvanced(models, engine),
  'repo-scan': ({ localRoots = [], minScanFiles, fetch, archives, engine }) =>
    repoScan({ roots: localRoots, minFiles: minScanFiles, fetch }, archives, engine),
  'repo-report': ({ readResult }) => repoReport(readResult),
} as const satisfies Readonly<Record<string, (needs: WorkerNeeds) => WorkerDefinition>>;
export type WorkerName = keyof typeof workers;
export const workerNames = Object.keys(workers) as readonly WorkerName[];
