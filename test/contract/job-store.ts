// What every job store must do, on whatever it runs. Each operation in these suites is followed by an audit of the store's books.
import { describe } from 'vitest';
import { long } from '../helpers/long.ts';
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
  /**
   * The suites in which calls name partitions alone: for a store whose other suites have passed on the same transport with one partition, and
   * on another with four. Runs all with --long.
   */
  readonly partitionsAlone?: boolean;
}

/** Runs the contract on a kind of store. */
export function testJobStore(name: string, make: MakeStore, options: ContractOptions = {}): void {
  const { partitions = 1, gaps = {}, partitionsAlone = false } = options;
  describe(`job store on ${name}`, () => {
    const open = () => createRig(make, partitions);
    attempts(open, gaps);
    submission(open);
    foreign(open);
    reading(open);
    usage(open);
    if (partitionsAlone && !long) return;
    pairs(open);
    artifacts(open, gaps);
    outputs(open);
    finishers(open);
    queue(open);
    approvals(open);
    redaction(open);
    workers(open);
    stepsOfRuns(open);
  });
}
