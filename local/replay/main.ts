// The process in which a recorded attempt is run again: a recording on stdin, what it came to on stdout. It is started without the right
// to write files, to start programs and threads, and takes the network away before it loads any handler.
// An argument names a module in place of services/worker/index.ts, for tests.
import { text } from 'node:stream/consumers';
import { CortexError } from '#core/errors.ts';
import { recordedModels } from '#core/model/recorded.ts';
import { replayAttempt } from '../../services/worker/replay.ts';
import type { WorkerDefinition } from '../../services/worker/define.ts';
import type { WorkerNeeds } from '../../services/worker/index.ts';
import { refuseNetwork } from './no-network.ts';
import { type Replayed, replayTask } from './task.ts';
import { replayNeeds } from './needs.ts';

refuseNetwork();
process.once('uncaughtException', (error) => {
  process.stdout.write(
    JSON.stringify({ problem: `the handler left an error to nobody: ${error.message}` } satisfies Replayed),
  );
  process.exit();
});
const [, , module = new URL('../../services/worker/index.ts', import.meta.url).href] = process.argv;
const { workers } = (await import(module)) as { readonly workers: Readonly<Record<string, Make>> };
type Make = (needs: WorkerNeeds) => WorkerDefinition;

async function replay(): Promise<Replayed> {
  const { attempt, exchanges, end, payload } = replayTask.parse(JSON.parse(await text(process.stdin)));
  const models = recordedModels(attempt.model ?? '', exchanges);
  const needs = replayNeeds(attempt.model === null ? undefined : models.models);
  const definition = Object.values(workers)
    .map((make) => make(needs))
    .find(({ topic }) => topic === attempt.topic);
  if (definition === undefined) return { problem: `there is no worker for ${attempt.topic} here` };
  try {
    const outcome = await replayAttempt(definition, { attempt, end }, payload, (use) => models.tool(use));
    return {
      outcome: {
        ...{ status: outcome.status, result: outcome.result ?? null },
        ...{ error_code: outcome.errorCode, error_message: outcome.errorMessage },
      },
      divergence: models.divergence(true),
    };
  } catch (error) {
    if (error instanceof CortexError) return { problem: error.message };
    throw error;
  }
}

process.stdout.write(JSON.stringify(await replay()));
