// What every job store must do, on whatever it runs. Each operation in these suites is followed by an audit of the store's books.
import { describe } from 'vitest';
import { approvals } from './job-store/approvals.ts';
import { artifacts } from './job-store/artifacts.ts';
import { attempts } from './job-store/attempts.ts';
import { finishers } from './job-store/finishers.ts';
import { foreign } from './job-store/foreign.ts';
import { outputs } from './job-store/outputs.ts';
import { pairs } from './job-store/pairs.ts';
import { queue } from './job-store/queue.ts';
import { reading } from './job-store/reading.ts';
import { createRig, type MakeStore } from './job-store/rig.ts';
import { redaction } from './job-store/redaction.ts';
import { stepsOfRuns } from './job-store/steps-of-runs.ts';
import { submission } from './job-store/submission.ts';
import { usage } from './job-store/usage.ts';
import { workers } from './job-store/workers.ts';

/** What a store cannot do on its transport, each with the reason; its tests then show that it says so and changes nothing. */
export interface Gaps {
  /** Artifacts. */
  readonly bytes?: string;
}

export interface ContractOptions {
  /** Partitions of the key space. Default 1. */
  readonly partitions?: number;
  readonly gaps?: Gaps;
}

/** Runs the contract on a kind of store. */
export function testJobStore(name: string, make: MakeStore, options: ContractOptions = {}): void {
  const { partitions = 1, gaps = {} } = options;
  describe(`job store on ${name}`, () => {
    const open = () => createRig(make, partitions);
    pairs(open);
    attempts(open, gaps);
    artifacts(open, gaps);
    outputs(open);
    finishers(open);
    queue(open);
    submission(open);
    approvals(open);
    redaction(open);
    workers(open);
    foreign(open);
    reading(open);
    stepsOfRuns(open);
    usage(open);
  });
}
