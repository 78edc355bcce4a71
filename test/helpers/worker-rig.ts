// A stage per test, on a clock that the test steps; taken down after each test, whatever still runs on it.
import { afterEach } from 'vitest';
import type { Packet } from '#core/protocol/envelope.ts';
import type { WorkerDefinition } from '../../services/worker/define.ts';
import { createFakeClock, type FakeClock } from './clock.ts';
import { createStage, type Stage, type StageOptions } from './worker-stage.ts';
import { makeStore } from './worker-store.ts';

export type SteppedStage = Stage & { readonly clock: FakeClock };

/** To be called once at the top of a test file; the answer makes the stage of a test. */
export function useStage(): (
  definitions: readonly WorkerDefinition[],
  more?: Partial<StageOptions>,
) => Promise<SteppedStage> {
  let made: SteppedStage | undefined;
  afterEach(async () => {
    if (made !== undefined) await made.clock.during(made.close());
    made = undefined;
  });
  return async (definitions, more = {}) => {
    const clock = createFakeClock();
    const stage = await createStage({ store: await makeStore(clock), clock, definitions, ...more });
    made = Object.assign(stage, { clock });
    return made;
  };
}

/** The JobResults about a job that were on the bus. */
export function resultsOf(stage: Stage, id: string): Packet[] {
  return stage.news.filter((p) => p.payload.case === 'jobResult' && p.payload.value.jobId === id);
}
