// The workers that one image holds, by the short names of WORKERS. What each one needs from configuration, it is made with.
import { chat } from './chat.ts';
import type { WorkerDefinition } from './define.ts';
import { echo } from './echo.ts';

/** Every worker there is, by short name. */
export const workers = { echo, chat } as const satisfies Readonly<Record<string, WorkerDefinition>>;
export type WorkerName = keyof typeof workers;
export const workerNames = Object.keys(workers) as readonly WorkerName[];
