// A driver for the pure heart: does what a run wants, in any order, and writes down what ours writes down.
import { CortexError } from '#core/errors.ts';
import { advance, newRun, openOf, type Remembered, type Run, sleepsOf } from '#core/workflow/advance.ts';
import type { WorkflowDefinition } from '#core/workflow/definition.ts';
import type { ChildEnd, Command, WorkflowEvent } from '#core/workflow/effects.ts';
import { lineOfCommand } from '#core/workflow/lines.ts';

/** Of steps: none is tried again. */
export const defaults = { maxRetries: 0 };

/** How a child ended: below 7 well, then in each of the ways that are no success. */
export function end(key: string, attempt: number, how: number): ChildEnd {
  const common = { jobId: `run.${key}.${attempt}`, errorMessage: '', final: false, safetyReason: '' };
  if (how < 7)
    return { ...common, state: 'SUCCEEDED', errorCode: '', resultPtr: 'p', result: JSON.stringify(`${key} done`) };
  const [state, errorCode] = (
    [
      ['FAILED', 'unavailable'],
      ['FAILED', 'invalid_argument'],
      ['DENIED', ''],
    ] as const
  )[how - 7] ?? ['TIMEOUT', 'deadline_exceeded'];
  return { ...common, state, errorCode, resultPtr: '', result: null };
}

export interface Driven {
  readonly run: Run;
  readonly memory: readonly Remembered[];
  /** What the run wanted, in order. */
  readonly commands: readonly Command[];
  readonly mostOpen: number;
}

/** Lets a run go on, choosing what happens next by the numbers, until it is over or they are used up. */
export function drive(definition: WorkflowDefinition, choices: readonly number[], from?: Driven): Driven {
  let run = from?.run ?? newRun(definition, defaults);
  const memory = Array.from(from?.memory ?? []);
  const commands: Command[] = Array.from(from?.commands ?? []);
  let mostOpen = 0;
  let at = 1_000_000 + memory.length;
  let signals = run.signals;
  const tell = (event: WorkflowEvent): void => {
    const next = advance(run, event);
    if (next.commands === undefined) return;
    run = next.run;
    memory.push({ event, wanted: next.commands.flatMap((c) => lineOfCommand(c) ?? []) });
    commands.push(...next.commands);
    mostOpen = Math.max(mostOpen, openOf(run).length);
  };
  if (run.told === 0) tell({ type: 'begin', at, runId: 'run', workflowId: 'run', input: {} });
  for (const choice of choices) {
    if (run.outcome !== undefined) break;
    at++;
    const open = openOf(run);
    const sleeps = sleepsOf(run);
    const all = open.length + sleeps.length + 2;
    const pick = choice % all;
    const how = Math.floor(choice / 1000) % 11;
    const child = open[pick];
    const sleep = sleeps[pick - open.length];
    if (child !== undefined)
      tell({ type: 'end', at, key: child.key, attempt: child.attempt, end: end(child.key, child.attempt, how) });
    else if (sleep !== undefined) tell({ type: 'due', at: Math.max(at, sleep[1]), key: sleep[0] });
    else if (pick === all - 1 && how === 10)
      tell({ type: 'stop', at, error: new CortexError('canceled', 'told to stop') });
    else
      tell({ type: 'signal', at, index: signals++, name: Math.floor(choice / all) % 2 === 0 ? 'a' : 'b', value: how });
  }
  return { run, memory, commands, mostOpen };
}

/** Ends well whatever is open, and sends what may be waited for, until the run is over. */
export function finish(definition: WorkflowDefinition, from: Driven): Driven {
  let driven = from;
  for (let i = 0; i < 1000 && driven.run.outcome === undefined; i++) {
    const all = openOf(driven.run).length + sleepsOf(driven.run).length + 2;
    // What is first in the list; with nothing there each signal in turn.
    driven = drive(definition, all > 2 ? [0] : [0, all], driven);
  }
  return driven;
}

/** What a run came to, its error as text. */
export function outcomeOf(run: Run): unknown {
  const { outcome } = run;
  if (outcome === undefined || outcome.ok) return outcome;
  return { ok: false, error: outcome.error instanceof Error ? outcome.error.message : outcome.error };
}
