// One run of a workflow, from the moment this process holds it until it is over or somebody else's. The decisions are `advance`'s
// (core/workflow); here is what carries them out. The order is the guarantee: what happened and what follows from it is written down first,
// in one call, and done then. Whoever takes the run up later finds everything that may have been done written down, and children by their ids.
import { toJson } from '@bufbuild/protobuf';
import { CortexError, toCortexError } from '#core/errors.ts';
import type { Events } from '#core/events.ts';
import type { JobStore } from '#core/jobs/store.ts';
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import { advance, haltedOf, newRun, openOf, type Run, retell, sleepsOf } from '#core/workflow/advance.ts';
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import type { Command, WorkflowEvent } from '#core/workflow/effects.ts';
import type { Journal, Signal } from '#core/workflow/journal.ts';
import { type Line, lineOfCommand, lineOfEvent, type Seed } from '#core/workflow/lines.ts';
import { childName } from '#core/workflow/machine.ts';
import { stopSignal } from '#core/workflow/run.ts';
import type { WorkflowLimits } from '#core/scheduling/timeouts.ts';
import { parsePayload, spreadContext } from '#core/protocol/payloads.ts';
import { unwrap } from '#core/result.ts';
import { JobRequestSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { persist } from '../worker/retry.ts';
import { type Children, LostHold, type Parent, workflowIdOf } from './children.ts';
import type { Ends } from './ends.ts';
import type { OrchestratorEvent } from './events.ts';
import { readMemory, signalEvent } from './memory.ts';
import { createOwed, type Owed } from './owed.ts';
import type { Places } from './places.ts';
import type { SignalBell } from './signals.ts';
import { createSteps, type Start } from './steps.ts';

export interface RunDeps {
  readonly store: JobStore;
  readonly journal: Journal;
  readonly children: Children;
  readonly ends: Ends;
  readonly bell: SignalBell;
  /** For runs that are taken up again: so many at once. */
  readonly places: Places;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events<OrchestratorEvent>;
}

export interface RunOptions {
  readonly parent: Parent;
  /** Versions of the workflow, the newest first. */
  readonly versions: readonly WorkflowDefinition[];
  /** The payload, as it came: its fields, or, from the gateway, a `context` with them. */
  readonly payload: unknown;
  readonly limits: WorkflowLimits;
  readonly signal: AbortSignal;
  /** It may have been begun before. */
  readonly again: boolean;
  readonly progress: (percent: number, message?: string) => void;
  readonly log: Log;
  /** Told once, when it is known: when the run was begun first, ms since the epoch. */
  readonly onBegun: (at: number) => void;
}

export interface RunHandle {
  /** The result, as the definition's output has it. Throws what the run fails with, or what the signal was aborted with. */
  readonly result: Promise<unknown>;
  /** Children that were begun and are not known to have ended. */
  readonly open: ReadonlyMap<string, unknown>;
}

/** The journal is another than this process knows, though nobody else holds the run: the store was restarted and forgot its last second. */
class Forgotten extends Error {}

/** Takes the run up: from its begin, or from where its journal ends. */
export function takeUp(options: RunOptions, deps: RunDeps): RunHandle {
  const open = new Map<string, () => void>();
  const go = async (): Promise<unknown> => {
    for (let { again } = options; ; again = true) {
      try {
        return await goOn({ ...options, again }, deps, open);
      } catch (error) {
        if (!(error instanceof Forgotten)) throw error;
        options.log.warn('the store has forgotten what the run did last: it is taken up again from its journal');
        open.clear();
      }
    }
  };
  return { result: go(), open };
}

/** Until the run is over, somebody else's, or the store has forgotten a part of it. */
async function goOn(options: RunOptions, deps: RunDeps, open: Map<string, () => void>): Promise<unknown> {
  const { parent, limits, signal } = options;
  const { journal, children, bell, clock } = deps;
  const key = { id: parent.id, tenant: parent.tenant };
  const req = toJson(JobRequestSchema, parent.request);
  const patience = { clock, until: () => Number.POSITIVE_INFINITY, signal };
  const timers = new Map<string, () => void>();
  const inbox: { event: WorkflowEvent; times?: { startedAt: number; endedAt: number } }[] = [];
  let wake: () => void = () => undefined;
  let length = 0;
  let begunAt = 0;
  let lastAt = 0;
  let run: Run;
  const kept = new Map<string, Seed['kept'][number]>();
  /** Steps whose latest try has ended. */
  const ended = new Set<string>();
  let owed: Owed;
  /** Sleeps that are over because they were so in the run that this is a rerun of. */
  const slept = new Set<string>();
  /** Signals that were read, and those of them that the run is told later. */
  let heard = 0;
  const held: Signal[] = [];
  let last: Signal | undefined;
  let reading = false;
  let forgotten = false;

  const put = (told: WorkflowEvent, times?: { startedAt: number; endedAt: number }): void => {
    // Clocks of two orchestrators differ; a run's time goes forward.
    lastAt = Math.max(lastAt, told.at);
    const event = { ...told, at: lastAt };
    inbox.push(times === undefined ? { event } : { event, times });
    if (event.type === 'end') ended.add(event.key);
    wake();
  };
  const stop = (error: CortexError): void => put({ type: 'stop', at: clock.now(), error });
  const steps = createSteps(
    {
      ...{ parent, limits, signal, open, kept, put },
      run: () => ({ begunAt, failing: run.failing }),
      wake: () => wake(),
    },
    deps,
  );

  /** Writes down what the events in the inbox come to, then does it. */
  const turn = async (): Promise<void> => {
    const lines: Line[] = [];
    const commands: Command[] = [];
    // As many as came: one call for all of them.
    for (const { event, times } of inbox.splice(0)) {
      const next = advance(run, event);
      if (next.commands === undefined) continue;
      run = next.run;
      const { name, version: v } = run.definition;
      lines.push(
        event.type === 'begin'
          ? { t: 'begin', at: event.at, name, v, req, tries: run.defaults.maxRetries }
          : lineOfEvent(event, times),
      );
      for (const command of next.commands) {
        commands.push(command);
        if (command.type === 'start') ended.delete(command.key);
        const line = lineOfCommand(command);
        if (line !== undefined) lines.push(line);
      }
    }
    if (lines.length > 0) await write(lines);
    await perform(commands);
  };

  const write = async (lines: readonly Line[]): Promise<void> => {
    const gotOn = lines.some(({ t }) => t === 'end' || t === 'signal');
    const item = { ...key, ...parent.hold, from: length, lines: lines.map((line) => JSON.stringify(line)), gotOn };
    const answer = await persist(() => journal.append(item), patience);
    if (answer === 'full') throw new CortexError('resource_exhausted', 'the run has more steps than a run may have');
    if (answer === 'moved') throw new Forgotten();
    if (answer !== 'ok') throw new LostHold(parent.id);
    length += lines.length;
  };

  const perform = async (commands: readonly Command[]): Promise<void> => {
    const ofType = <T extends Command['type']>(type: T) =>
      commands.filter((command): command is Extract<Command, { type: T }> => command.type === type);
    const [drops, halts] = [ofType('drop'), ofType('halt')];
    const over = new Set([...drops, ...halts].map((one) => childName(one.key, one.attempt)));
    for (const command of commands) {
      switch (command.type) {
        case 'sleep':
          setTimer(command.key, command.until);
          break;
        case 'progress':
          options.progress(command.percent, command.message);
          break;
        case 'refuse':
          options.log.info('a signal was refused', { signal: command.name, why: command.why });
          break;
        case 'undo':
          options.log.info('the run is undone', { code: command.code, why: command.message });
          break;
        default:
      }
    }
    if (drops.length > 0) await steps.drop(drops);
    for (const one of halts) steps.halt(one, lastAt);
    const starts = ofType('start').filter((one) => !over.has(childName(one.key, one.attempt)));
    if (starts.length > 0) await steps.begin(starts);
  };

  const setTimer = (name: string, until: number): void => {
    timers.get(name)?.();
    if (slept.has(name)) {
      // At once, and not by way of a timer: what comes next in order may come right after it.
      timers.delete(name);
      return put({ type: 'due', at: clock.now(), key: name });
    }
    timers.set(
      name,
      clock.after(Math.max(0, until - clock.now()), () => {
        timers.delete(name);
        put({ type: 'due', at: Math.max(clock.now(), until), key: name });
      }),
    );
  };

  /** What a rerun brings with it and is next. False when there is nothing, or it comes later. */
  const release = (): boolean => {
    const next = owed.next(open.size === 0);
    if (next === undefined) return false;
    if (next.k === undefined) {
      const one = held.shift();
      if (one === undefined) return false; // not read yet
      put(signalEvent(one, heard - held.length - 1, clock.now()));
    } else {
      slept.add(next.k);
      if (timers.has(next.k)) setTimer(next.k, 0);
    }
    owed.take();
    if (owed.signals <= heard - held.length) tellHeld();
    return true;
  };

  const tellHeld = (): void => {
    const first = heard - held.length;
    for (const [i, one] of held.splice(0).entries()) put(signalEvent(one, first + i, clock.now()));
  };

  const forget = (): void => {
    forgotten = true;
    wake();
  };

  const hear = (): void => {
    if (reading) return;
    reading = true;
    const known = last;
    // With the last one that is known: another in its place means that the store has forgotten it.
    persist(() => journal.signals({ ...key, from: known === undefined ? heard : heard - 1 }), patience)
      .then((read) => {
        const came = known === undefined ? read : read.slice(1);
        if (known !== undefined && !sameSignal(read[0], known)) return forget();
        last = came.at(-1) ?? last;
        heard += came.length;
        held.push(...came);
        // Those of a rerun come first, each in its time: release.
        if (owed.signals <= heard - held.length) tellHeld();
        if (came.some(({ name }) => name === stopSignal)) {
          stop(new CortexError('canceled', 'the run was told to stop'));
        }
        wake();
      })
      .catch((error: unknown) => options.log.debug('signals could not be read', { error }))
      .finally(() => {
        reading = false;
      });
  };

  /** Reads the journal: the run is as it was when its last line was written. What it remembers is held until then and no longer. */
  const recall = async (): Promise<{ readonly begun: boolean; readonly dropped: readonly string[] }> => {
    const memory = await readMemory(key, deps, signal);
    length = memory.length;
    for (const one of memory.seed.kept) kept.set(one.k, one);
    const definition = versionFor(options.versions, memory.begin);
    const input = unwrap(parsePayload(definition.input, spreadContext(options.payload)));
    const facts = { runId: parent.id, workflowId: workflowIdOf(parent), input };
    // What was configured when it began: a step that was tried again would not be wanted otherwise.
    run = newRun(definition, { maxRetries: memory.begin?.tries ?? limits.maxRetries }, true);
    begunAt = memory.begin?.at ?? clock.now();
    options.onBegun(begunAt);
    if (memory.begin === undefined) put({ type: 'begin', at: begunAt, ...facts });
    for await (const one of memory.remember(facts)) {
      run = unwrap(retell(run, one));
      if (one.event.type === 'end') ended.add(one.event.key);
      for (const line of one.wanted) if (line.t === 'start') ended.delete(line.k);
    }
    heard = run.signals;
    owed = createOwed(memory.seed, ended, heard);
    lastAt = Math.max(lastAt, memory.lastAt);
    return { begun: memory.begin !== undefined, dropped: memory.dropped };
  };

  const resume = async (dropped: readonly string[]): Promise<void> => {
    for (const [name, until] of sleepsOf(run)) setTimer(name, until);
    // What was dropped, or told to stop, may have been written down and not done.
    await children.cancel(parent, dropped, 'dropped');
    const halted = haltedOf(run);
    const running: Start[] = [];
    for (const start of openOf(run)) {
      const since = halted.get(childName(start.key, start.attempt));
      if (since === undefined) running.push(start);
      else steps.halt(start, since);
    }
    await steps.begin(running);
  };

  const live = async (): Promise<unknown> => {
    // A new run has nothing to remember; of those that have, few at once: a process that takes up hundreds must not run out of memory.
    const leave = options.again ? await deps.places.enter(signal) : undefined;
    const { begun, dropped } = await recall().finally(leave);
    if (begun) await resume(dropped);
    const lateIn = Math.max(0, begunAt + limits.totalTimeoutMs - clock.now());
    const late = new CortexError(
      'deadline_exceeded',
      `the workflow took longer than ${limits.totalTimeoutMs / 1000} s`,
    );
    timers.set(
      '',
      clock.after(lateIn, () => stop(late)),
    );
    const unwatch = bell.watch(key, () => heard, { more: hear, fewer: forget });
    timers.set(' ', unwatch);
    hear();
    while (run.outcome === undefined) {
      signal.throwIfAborted();
      if (forgotten) throw new Forgotten();
      if (inbox.length > 0) await turn();
      else if (steps.lacking) await steps.again();
      else if (!release()) await next();
    }
    if (run.outcome.ok) return run.outcome.value;
    throw toCortexError(run.outcome.error);
  };

  /** Something came, or the run is told to stop. */
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      wake = () => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted || inbox.length > 0) wake();
    });

  try {
    return await live();
  } finally {
    for (const cancel of timers.values()) cancel();
    steps.close();
  }
}

/** A run that has begun stays with its version. Throws `failed_precondition` when that is not here. */
function versionFor(
  versions: readonly WorkflowDefinition[],
  begin: { readonly name: string; readonly v: string } | undefined,
): WorkflowDefinition {
  const [newest] = versions;
  if (newest === undefined) throw new Error('a workflow without a version');
  if (begin === undefined) return newest;
  const same = versions.find(({ version }) => version === begin.v);
  if (same !== undefined) return same;
  const here = versions.map(({ version }) => version).join(', ');
  const problem = `the run began with version ${begin.v} of ${begin.name}, which is not here (${here})`;
  throw new CortexError('failed_precondition', problem);
}

function sameSignal(one: Signal | undefined, other: Signal): boolean {
  return one?.at === other.at && one.name === other.name && one.value === other.value;
}
