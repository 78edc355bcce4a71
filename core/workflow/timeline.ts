// A run as people see it, from the lines of its journal alone: no definition is needed, so any gateway can show any run.
import type { JobState } from '#core/jobs/state.ts';
import type { Line } from './lines.ts';
import { childId } from './run.ts';

export interface StepAttempt {
  readonly jobId: string;
  /** Undefined: not known from the journal, the child has not ended or the run did not wait for its end. */
  readonly state: JobState | undefined;
  readonly askedAt: number;
  /** ms since the epoch; 0 while unknown. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly resultPtr: string;
  /** The run has no use for it any more: it does not wait for it, or tells it to stop and waits until it has. */
  readonly dropped: boolean;
}

export interface TimelineStep {
  readonly key: string;
  readonly topic: string;
  /** Taken over from the run that this is a rerun of. */
  readonly kept: boolean;
  readonly attempts: readonly StepAttempt[];
}

export interface Timeline {
  readonly name: string;
  readonly version: string;
  /** 0 before it has begun. */
  readonly begunAt: number;
  readonly rerunOf: { readonly id: string; readonly from: string } | undefined;
  readonly steps: readonly TimelineStep[];
  readonly sleeps: readonly { readonly key: string; readonly until: number; readonly over: boolean }[];
  /** Names of signals that are waited for now, one for each who waits. */
  readonly waits: readonly string[];
  readonly signals: readonly { readonly name: string; readonly at: number; readonly refused: string }[];
  /** Set once the run is undone: what it failed with. */
  readonly undoing: { readonly code: string; readonly message: string } | undefined;
}

type Changing<T> = { -readonly [K in keyof T]: T[K] };

/** The timeline of a run. */
export function timelineOf(runId: string, lines: readonly Line[]): Timeline {
  const steps = new Map<string, Omit<Changing<TimelineStep>, 'attempts'> & { attempts: Changing<StepAttempt>[] }>();
  const sleeps = new Map<string, { key: string; until: number; over: boolean }>();
  const waits: string[] = [];
  const signals: { name: string; at: number; refused: string }[] = [];
  const sent: string[] = [];
  let begin: Extract<Line, { t: 'begin' }> | undefined;
  let seed: Extract<Line, { t: 'seed' }> | undefined;
  let undoing: Timeline['undoing'];
  let now = 0;
  /** A signal meets who waits for it, in whichever order they come. */
  const meet = (name: string): void => {
    const [i, k] = [waits.indexOf(name), sent.indexOf(name)];
    if (i < 0 || k < 0) return;
    waits.splice(i, 1);
    sent.splice(k, 1);
  };
  for (const line of lines) {
    if ('at' in line) now = line.at;
    switch (line.t) {
      case 'seed':
        seed = line;
        break;
      case 'begin':
        begin = line;
        break;
      case 'start': {
        const step = steps.get(line.k) ?? { key: line.k, topic: line.topic, kept: false, attempts: [] };
        steps.set(line.k, step);
        step.kept = false; // another try: what was kept was of no use
        step.attempts.push({
          ...{ jobId: childId(runId, line.k, line.n), state: undefined, askedAt: now, startedAt: 0, endedAt: 0 },
          ...{ errorCode: '', errorMessage: '', resultPtr: '', dropped: false },
        });
        break;
      }
      case 'end': {
        const step = steps.get(line.k);
        const attempt = step?.attempts[line.n - 1];
        if (step === undefined || attempt === undefined) break;
        // Without an id there never was a job: it could not be made.
        const jobId = line.id === '' ? attempt.jobId : line.id;
        if (jobId !== attempt.jobId) step.kept = true;
        Object.assign(attempt, {
          ...{ jobId, state: line.s, startedAt: line.st ?? 0, endedAt: line.en ?? line.at },
          ...{ errorCode: line.c ?? '', errorMessage: line.m ?? line.r ?? '', resultPtr: line.p ?? '' },
        });
        break;
      }
      case 'drop':
      case 'halt': {
        const attempt = steps.get(line.k)?.attempts[line.n - 1];
        if (attempt !== undefined) attempt.dropped = true;
        break;
      }
      case 'sleep':
        sleeps.set(line.k, { key: line.k, until: line.until, over: false });
        break;
      case 'due': {
        const sleep = sleeps.get(line.k);
        if (sleep !== undefined) sleep.over = true;
        break;
      }
      case 'leave':
        if (line.w === 'sleep') sleeps.delete(line.name);
        else if (waits.includes(line.name)) waits.splice(waits.indexOf(line.name), 1);
        break;
      case 'wait':
        waits.push(line.name);
        meet(line.name);
        break;
      case 'signal':
        signals.push({ name: line.name, at: line.at, refused: '' });
        sent.push(line.name);
        meet(line.name);
        break;
      case 'refuse': {
        const signal = signals[line.i];
        if (signal !== undefined) signal.refused = line.m;
        waits.push(line.name); // who waited for it waits on
        meet(line.name);
        break;
      }
      case 'undo':
        undoing = { code: line.c, message: line.m };
        waits.length = 0;
        break;
      case 'stop':
        waits.length = 0;
    }
  }
  return {
    ...{ name: begin?.name ?? '', version: begin?.v ?? '', begunAt: begin?.at ?? 0 },
    rerunOf: seed === undefined ? undefined : { id: seed.of, from: seed.from },
    steps: Array.from(steps.values()),
    sleeps: Array.from(sleeps.values()),
    ...{ waits, signals, undoing },
  };
}
