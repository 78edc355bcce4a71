// The pure heart of the workflow engine: a run, an event, and what follows. `advance` may be called again with a run that it was called
// with before and answers the same; that the machine behind a run is carried along, instead of being rebuilt each time, shows in speed alone.
import { CortexError } from '#core/errors.ts';
import { parsePayload } from '#core/protocol/payloads.ts';
import { err, ok, type Result } from '#core/result.ts';
import { createWorkflowContext, type StepDefaults } from './context.ts';
import type { WorkflowDefinition } from './definition.ts';
import type { Command, Outcome, WorkflowEvent } from './effects.ts';
import { lineOfCommand, placeOf, type Wanted } from './lines.ts';
import { createMachine, type Machine } from './machine.ts';

/** What a run is: its definition, and everything that it was told. */
export interface Run {
  readonly definition: WorkflowDefinition;
  readonly defaults: StepDefaults;
  /** The first `told` entries are this run's; a later run shares the list. Undefined: they are not kept. */
  readonly events: readonly WorkflowEvent[] | undefined;
  readonly told: number;
  /** Undefined until it is over. */
  readonly outcome: Outcome | undefined;
  /** It fails: what was under way is being stopped, or what was done undone. */
  readonly failing: boolean;
  /** Signals that it has taken in. */
  readonly signals: number;
}

export interface Advance {
  readonly run: Run;
  /** Undefined for an event that nobody waits for: it changes nothing, and is not to be written down. */
  readonly commands: readonly Command[] | undefined;
}

const machines = new WeakMap<Run, Machine>();

/**
 * The run before it was told anything. With `forgets`, for who goes one way alone: what it is told (results, whole) is not kept, and only the
 * latest run may be advanced.
 */
export function newRun(definition: WorkflowDefinition, defaults: StepDefaults, forgets = false): Run {
  const events = forgets ? undefined : [];
  return runOf(makeMachine(definition, defaults), { definition, defaults, events, told: 0 });
}

/** The run after an event, and what it wants done. Throws RangeError for a generator that never waits. */
export function advance(run: Run, event: WorkflowEvent): Advance {
  const machine = machineOf(run);
  if (!machine.tell(event)) return { run, commands: undefined };
  machines.delete(run);
  const { definition, defaults, told } = run;
  // One list for a run and all that follow from it, until somebody goes another way.
  const events = run.events?.length === told ? (run.events as WorkflowEvent[]) : run.events?.slice(0, told);
  events?.push(event);
  const commands = machine.take();
  return { run: runOf(machine, { definition, defaults, events, told: told + 1 }), commands };
}

/** The children that the run waits for. */
export function openOf(run: Run): readonly Extract<Command, { type: 'start' }>[] {
  return Array.from(machineOf(run).open.values());
}

/** Those of its children that are told to stop, by `<key>.<try>`, and since when, ms since the epoch. */
export function haltedOf(run: Run): ReadonlyMap<string, number> {
  return machineOf(run).halted;
}

/** What it sleeps until, ms since the epoch, by key. */
export function sleepsOf(run: Run): readonly (readonly [key: string, until: number])[] {
  return Array.from(machineOf(run).sleeps);
}

/** One thing that happened, and what was written down behind it. */
export interface Remembered {
  readonly event: WorkflowEvent;
  readonly wanted: readonly Wanted[];
}

/**
 * The run after one more thing that it was told once. An error (`failed_precondition`) names the place where the definition wants something
 * else now than it did then.
 */
export function retell(run: Run, { event, wanted }: Remembered): Result<Run, CortexError> {
  const next = advance(run, event);
  if (next.commands === undefined)
    return err(changed(run, `what happened then, ${nameOf(event)}, nobody waits for now`));
  const now = next.commands.flatMap((command) => lineOfCommand(command) ?? []);
  for (let i = 0; i < Math.max(now.length, wanted.length); i++) {
    const [was, is] = [wanted[i], now[i]];
    if (was !== undefined && is !== undefined && same(was, is)) continue;
    return err(changed(run, difference(was, is)));
  }
  return ok(next.run);
}

/** The run after all that it was told once: `retell`, until the first error. */
export function replay(start: Run, memory: Iterable<Remembered>): Result<Run, CortexError> {
  let run = start;
  for (const one of memory) {
    const next = retell(run, one);
    if (!next.ok) return next;
    run = next.value;
  }
  return ok(run);
}

function same(was: Wanted, is: Wanted): boolean {
  if (was.t === 'start' && is.t === 'start') {
    return was.k === is.k && was.n === is.n && was.topic === is.topic && was.d === is.d;
  }
  if (was.t === 'sleep' && is.t === 'sleep') return was.k === is.k && was.until === is.until;
  if ((was.t === 'drop' && is.t === 'drop') || (was.t === 'halt' && is.t === 'halt')) {
    return was.k === is.k && was.n === is.n;
  }
  if (was.t === 'leave' && is.t === 'leave') return was.w === is.w && was.name === is.name;
  if ((was.t === 'wait' && is.t === 'wait') || (was.t === 'refuse' && is.t === 'refuse')) return was.name === is.name;
  return was.t === is.t;
}

function difference(was: Wanted | undefined, is: Wanted | undefined): string {
  if (was === undefined) return is === undefined ? '' : `${placeOf(is)} is new`;
  if (is === undefined) return `${placeOf(was)} is not there any more`;
  if (was.t === 'start' && is.t === 'start' && was.k === is.k && was.topic === is.topic)
    return `the input of ${placeOf(was)} is another`;
  if (was.t === 'sleep' && is.t === 'sleep' && was.k === is.k) return `${placeOf(was)} has another length`;
  return `${placeOf(was)} was here, and now it is ${placeOf(is)}`;
}

function changed({ definition: { name, version } }: Run, what: string): CortexError {
  return new CortexError(
    'failed_precondition',
    `workflow ${name} changed since the run began, within version ${version}: ${what}`,
  );
}

function nameOf(event: WorkflowEvent): string {
  switch (event.type) {
    case 'begin':
      return 'the begin';
    case 'end':
      return `the end of step ${event.key}`;
    case 'due':
      return `the end of sleep ${event.key}`;
    case 'signal':
      return `signal ${event.name}`;
    case 'stop':
      return 'the stop';
  }
}

/** The machine as this run has left it: the one that made it, or one that is told everything again. */
function machineOf(run: Run): Machine {
  const kept = machines.get(run);
  if (kept !== undefined) return kept;
  if (run.events === undefined) throw new RangeError('what this run was told is not kept');
  const machine = makeMachine(run.definition, run.defaults);
  for (const event of run.events.slice(0, run.told)) machine.tell(event);
  machine.take();
  machines.set(run, machine);
  return machine;
}

function makeMachine(definition: WorkflowDefinition, defaults: StepDefaults): Machine {
  return createMachine(function* ({ runId, workflowId, input }, hooks) {
    const result = yield* definition.run(input, createWorkflowContext({ runId, workflowId }, hooks, defaults));
    const parsed = parsePayload(definition.output, result, 'result');
    if (parsed.ok) return parsed.value;
    const { error } = parsed;
    throw new CortexError('internal', `the workflow's result is wrong: ${error.message}`, { cause: error });
  });
}

function runOf(machine: Machine, parts: Pick<Run, 'definition' | 'defaults' | 'events' | 'told'>): Run {
  const run: Run = { ...parts, outcome: machine.outcome, failing: machine.failing, signals: machine.signals };
  machines.set(run, machine);
  return run;
}
