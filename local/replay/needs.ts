// What workers are made with for a replay: models of the recording, and nothing else that could be asked.
import type { Models } from '#core/model/serve.ts';
import { parseWorkerConfig } from '../../services/worker/config.ts';
import type { WorkerNeeds } from '../../services/worker/index.ts';
import { fetchSettings } from '../../services/worker/repo/env.ts';
import { NotHeldError } from '../../services/worker/replay.ts';

const missing = (): Promise<never> => Promise.reject(new NotHeldError());

/** The configuration is the default one. */
export function replayNeeds(models: Models | undefined): WorkerNeeds {
  const config = parseWorkerConfig({});
  return {
    ...{ localRoots: undefined, minScanFiles: config.minScanFiles, fetch: fetchSettings(config), models },
    archives: { read: missing, drop: missing },
    readResult: missing,
    engine: { window: missing, ingest: missing },
  };
}
