// Runs a workflow's generator: fibers, what each of them waits for, and what ends whose waiting. Data in, data out: it is told events and
// says commands, the same for the same events. Nothing here knows where a run is kept (advance.ts) or who carries commands out.
import { toCortexError } from '#core/errors.ts';
import type { Command, Effect, Outcome, WorkflowEvent } from './effects.ts';
import { createMailbox, type Sent } from './mailbox.ts';
import { isSignalName, isStepKey, workflowPrefix } from './run.ts';
import { undoAll, withUndone } from './undo.ts';

/** A generator under way. */
interface Fiber {
  readonly gen: Generator<Effect, unknown, unknown>;
  /** Whose member it is; undefined for the outermost. */
  readonly join: Join | undefined;
  readonly index: number;
  wait: Wait | undefined;
  /** Told to stop: what it comes to counts for nothing. `told`: its generator knows, and runs its `finally` blocks. */
  closing: boolean;
  told: boolean;
  done: boolean;
}

interface Join {
  readonly owner: Fiber;
  readonly mode: 'all' | 'race';
  readonly members: Fiber[];
  readonly values: unknown[];
  left: number;
  outcome: Outcome | undefined;
}

type Wait =
  | { readonly for: 'child'; readonly key: string; readonly attempt: number }
  | { readonly for: 'sleep'; readonly key: string }
  | { readonly for: 'signal'; readonly name: string; readonly check: Extract<Effect, { type: 'signal' }>['check'] }
  | { readonly for: 'join'; readonly join: Join };

type Resume =
  /** `sent`: a signal that it takes; should it be told to stop before it goes on, the next one takes that. */
  { readonly value: unknown; readonly sent?: Sent } | { readonly error: unknown } | { readonly close: true };

export interface Machine {
  /** Tells it an event. False when nobody waits for it: then nothing has changed. */
  tell(event: WorkflowEvent): boolean;
  /** What is wanted since it was asked last. */
  take(): Command[];
  /** Undefined until the run is over. */
  readonly outcome: Outcome | undefined;
  /** It fails: what was under way is being stopped, or what was done undone. */
  readonly failing: boolean;
  /** Children that are waited for. */
  readonly open: ReadonlyMap<string, Extract<Command, { type: 'start' }>>;
  /** Those of them that are told to stop, and since when. */
  readonly halted: ReadonlyMap<string, number>;
  /** Sleeps that are waited for: key and end. */
  readonly sleeps: ReadonlyMap<string, number>;
  /** Signals that were taken in. */
  readonly signals: number;
}

/** What the generator needs from the machine while it runs. */
export interface MachineHooks {
  readonly now: () => number;
  readonly compensate: (undo: () => Generator<Effect, unknown, unknown>) => void;
  readonly progress: (percent: number, message: string | undefined) => void;
}

/** As long as a job may live, ms. */
export const longestSleepMs = 24 * 3_600_000;

/** Resumptions after one event: more, and the generator goes round without waiting for anything. */
const mostTurns = 1_000_000;

/** What a try of a step is called within its run. */
export function childName(key: string, attempt: number): string {
  return `${key}.${attempt}`;
}

/** A machine for what `make` makes when it is told to begin. */
export function createMachine(
  make: (begin: Extract<WorkflowEvent, { type: 'begin' }>, hooks: MachineHooks) => Generator<Effect, unknown, unknown>,
): Machine {
  let now = 0;
  let commands: Command[] = [];
  let root: Fiber | undefined;
  let phase: 'new' | 'running' | 'undoing' | 'over' = 'new';
  /** What the run comes to once everything is undone. */
  let failure: unknown;
  let outcome: Outcome | undefined;
  let signals = 0;
  let ready: { fiber: Fiber; resume: Resume }[] = [];
  const undos: (() => Generator<Effect, unknown, unknown>)[] = [];
  const used = new Set<string>();
  const children = new Map<string, Fiber>();
  const open = new Map<string, Extract<Command, { type: 'start' }>>();
  const halted = new Map<string, number>();
  const sleepers = new Map<string, Fiber>();
  const sleeps = new Map<string, number>();
  const mailbox = createMailbox<Fiber>({
    // One that was told to stop does not wait any more.
    checkOf: ({ wait }, name) => (wait?.for === 'signal' && wait.name === name ? wait.check : undefined),
    take(fiber, value, sent) {
      fiber.wait = undefined;
      go(fiber, { value, sent });
    },
    refuse: ({ index, name }, why) => void commands.push({ type: 'refuse', index, name, why }),
  });

  const go = (fiber: Fiber, resume: Resume): void => void ready.push({ fiber, resume });

  function makeFiber(gen: Fiber['gen'], join: Join | undefined, index: number): Fiber {
    return { gen, join, index, wait: undefined, closing: false, told: false, done: false };
  }

  function run(): void {
    let turns = 0;
    let stopped = false;
    // In rounds: to take from the front of a long list again and again takes time in its square.
    while (ready.length > 0) {
      const round = ready;
      ready = [];
      for (const { fiber, resume } of round) {
        if (turns++ >= mostTurns) {
          const error = new RangeError('the workflow goes round without waiting for anything');
          if (stopped || !fail(error)) throw error;
          stopped = true; // its undoing may go round as well
          turns = 0;
        }
        goOn(fiber, resume);
      }
    }
  }

  function goOn(fiber: Fiber, resume: Resume): void {
    // Told to stop since it was put into the list: that stands further behind.
    if (fiber.done || (fiber.closing && !fiber.told && !('close' in resume))) return giveBack(resume);
    if (fiber.closing) fiber.told = true;
    let step: IteratorResult<Effect, unknown>;
    try {
      if ('error' in resume) step = fiber.gen.throw(resume.error);
      else if ('close' in resume) step = fiber.gen.return(undefined);
      else step = fiber.gen.next(resume.value);
    } catch (error) {
      return settle(fiber, { ok: false, error });
    }
    if (step.done === true) return settle(fiber, { ok: true, value: step.value });
    try {
      begin(fiber, step.value);
    } catch (error) {
      // What it waits for is nothing that can be: its own mistake.
      go(fiber, { error });
    }
  }

  /** A signal that its taker did not live to take. */
  function giveBack(resume: Resume): void {
    if ('sent' in resume && resume.sent !== undefined) mailbox.put(resume.sent);
  }

  /** The run comes to this, once what is under way has stopped and what was done is undone. False when it fails already. */
  function fail(error: unknown): boolean {
    if (phase !== 'running' || root === undefined || failure !== undefined) return false;
    failure = error;
    close(root);
    return true;
  }

  function begin(fiber: Fiber, effect: Effect): void {
    switch (effect.type) {
      case 'child': {
        const { key, attempt } = effect;
        const name = childName(key, attempt);
        const problem = claim(key, name);
        if (problem !== undefined) return go(fiber, { error: problem });
        const start = { ...effect, type: 'start' } as const;
        fiber.wait = { for: 'child', key, attempt };
        children.set(name, fiber);
        open.set(name, start);
        commands.push(start);
        return;
      }
      case 'sleep': {
        const { key, ms } = effect;
        if (!(ms >= 1000 && ms <= longestSleepMs)) {
          return go(fiber, { error: new RangeError(`${key} sleeps for ${ms} ms: 1,000 to ${longestSleepMs} may be`) });
        }
        const problem = claim(key.replace(/~r?\d+$/, ''), `sleep ${key}`);
        if (problem !== undefined) return go(fiber, { error: problem });
        const until = now + Math.ceil(ms);
        fiber.wait = { for: 'sleep', key };
        sleepers.set(key, fiber);
        sleeps.set(key, until);
        commands.push({ type: 'sleep', key, until });
        return;
      }
      case 'signal': {
        const { name, check } = effect;
        if (!isSignalName(name))
          return go(fiber, { error: new RangeError(`${JSON.stringify(name)} is no name for a signal`) });
        fiber.wait = { for: 'signal', name, check };
        commands.push({ type: 'wait', name });
        mailbox.wait(fiber, name);
        return;
      }
      case 'join': {
        const { mode, ops } = effect;
        if (ops.length === 0)
          return go(fiber, mode === 'all' ? { value: [] } : { error: new RangeError('a race of nobody') });
        const join: Join = { owner: fiber, mode, members: [], values: [], left: ops.length, outcome: undefined };
        fiber.wait = { for: 'join', join };
        for (const [i, gen] of ops.entries()) {
          const member = makeFiber(gen, join, i);
          join.members.push(member);
          go(member, { value: undefined });
        }
        return;
      }
      default:
        throw new TypeError('it waits for what is no operation: `yield*` waits, `yield` alone does not');
    }
  }

  /** A key is for one thing in a run: another use of it would take the first one's end for its own. */
  function claim(key: string, name: string): RangeError | undefined {
    if (!isStepKey(key)) return new RangeError(`${JSON.stringify(key)} is not a key for a step`);
    if (used.has(name)) return new RangeError(`two steps have the key ${key}`);
    used.add(name);
    return undefined;
  }

  function settle(fiber: Fiber, result: Outcome): void {
    fiber.done = true;
    const { join } = fiber;
    if (join === undefined) return over(result);
    join.left--;
    if (!fiber.closing && join.outcome === undefined) {
      if (join.mode === 'race') {
        join.outcome = result.ok ? { ok: true, value: { index: fiber.index, value: result.value } } : result;
        for (const member of join.members) close(member);
      } else if (result.ok) join.values[fiber.index] = result.value;
      else {
        join.outcome = result;
        for (const member of join.members) close(member);
      }
    }
    if (join.left > 0) return;
    const { owner } = join;
    owner.wait = undefined;
    if (owner.closing) return go(owner, { close: true });
    const ended = join.outcome ?? { ok: true, value: join.values };
    go(owner, ended.ok ? { value: ended.value } : { error: ended.error });
  }

  /** Tells a fiber to stop: what it waits for is dropped, from the inside out; then its `finally` blocks run. */
  function close(fiber: Fiber): void {
    if (fiber.done || fiber.closing) return;
    fiber.closing = true;
    const { wait } = fiber;
    if (wait?.for === 'join') {
      // It goes on when the last of them is done; one that is done already was the last to be told.
      for (const member of wait.join.members) close(member);
      return;
    }
    fiber.wait = undefined;
    switch (wait?.for) {
      case 'child': {
        const { key, attempt } = wait;
        const name = childName(key, attempt);
        if (open.get(name)?.topic.startsWith(workflowPrefix) === true) {
          // A run below this one undoes what it did, and is waited for.
          fiber.wait = wait;
          halted.set(name, now);
          commands.push({ type: 'halt', key, attempt });
          return;
        }
        children.delete(name);
        open.delete(name);
        commands.push({ type: 'drop', key, attempt });
        break;
      }
      case 'sleep':
        sleepers.delete(wait.key);
        sleeps.delete(wait.key);
        commands.push({ type: 'leave', what: 'sleep', name: wait.key });
        break;
      case 'signal':
        // In the list of who waits it is passed over: mailbox.ts.
        commands.push({ type: 'leave', what: 'signal', name: wait.name });
        break;
      default:
    }
    go(fiber, { close: true });
  }

  /** The outermost fiber is done. */
  function over(result: Outcome): void {
    if (phase === 'undoing') {
      phase = 'over';
      const left = result.ok ? (result.value as readonly string[]) : [toCortexError(result.error).message];
      outcome = { ok: false, error: withUndone(failure, left) };
      return;
    }
    if (result.ok && failure === undefined) {
      phase = 'over';
      outcome = result;
      return;
    }
    failure ??= result.ok ? undefined : result.error;
    if (undos.length === 0) {
      phase = 'over';
      outcome = { ok: false, error: failure };
      return;
    }
    phase = 'undoing';
    const { code, message } = toCortexError(failure);
    commands.push({ type: 'undo', code, message });
    root = makeFiber(undoAll(undos.toReversed()), undefined, 0);
    go(root, { value: undefined });
  }

  function tell(event: WorkflowEvent): boolean {
    if (event.type === 'begin' ? phase !== 'new' : phase === 'new' || phase === 'over') return false;
    now = event.at;
    switch (event.type) {
      case 'begin': {
        phase = 'running';
        const hooks: MachineHooks = {
          now: () => now,
          compensate: (undo) => void undos.push(undo),
          progress: (percent, message) => void commands.push({ type: 'progress', percent, message }),
        };
        root = makeFiber(make(event, hooks), undefined, 0);
        go(root, { value: undefined });
        break;
      }
      case 'end': {
        const name = childName(event.key, event.attempt);
        const fiber = children.get(name);
        if (fiber === undefined) return false;
        children.delete(name);
        open.delete(name);
        halted.delete(name);
        fiber.wait = undefined;
        go(fiber, fiber.closing && !fiber.told ? { close: true } : { value: event.end });
        break;
      }
      case 'due': {
        const fiber = sleepers.get(event.key);
        if (fiber === undefined) return false;
        sleepers.delete(event.key);
        sleeps.delete(event.key);
        fiber.wait = undefined;
        go(fiber, { value: undefined });
        break;
      }
      case 'signal': {
        if (event.index !== signals) return false;
        signals++;
        mailbox.put({ name: event.name, index: event.index, value: event.value });
        break;
      }
      case 'stop':
        if (!fail(event.error)) return false;
    }
    run();
    return true;
  }

  return {
    tell,
    take() {
      const taken = commands;
      commands = [];
      return taken;
    },
    get outcome() {
      return outcome;
    },
    get failing() {
      return phase === 'undoing' || failure !== undefined;
    },
    open,
    halted,
    sleeps,
    get signals() {
      return signals;
    },
  };
}
