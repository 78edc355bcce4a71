// The journal's twin in memory, beside the twin of the job store whose records it looks at.
import { CortexError } from '#core/errors.ts';
import { isHeld, type Memory, recordOf, textAt } from './memory-state.ts';
import { isEnd } from './state.ts';
import { type Journal, maxLines, maxSignals, seedMs, type Signal } from '#core/workflow/journal.ts';
import { stopSignal, workflowPrefix } from '#core/workflow/run.ts';

interface Kept {
  readonly lines: string[];
  readonly signals: Signal[];
  readonly keys: Set<string>;
  /** Until there is a job. */
  seedUntil: number;
}

/** A journal on the maps of a store in memory. */
export function createMemoryJournal(memory: Memory): Journal {
  const { now } = memory.options;
  const kept = new Map<string, Kept>();
  const of = (id: string): Kept => {
    const known = kept.get(id);
    // A job that was made in time has it for good.
    const until = recordOf(memory, id)?.createdAt ?? now();
    if (known !== undefined && known.seedUntil > until) return known;
    const fresh = { lines: [], signals: [], keys: new Set<string>(), seedUntil: Number.POSITIVE_INFINITY };
    kept.set(id, fresh);
    return fresh;
  };
  const owned = (id: string, tenant: string) => {
    const record = recordOf(memory, id);
    return record?.tenant === tenant ? record : undefined;
  };

  return {
    async append({ id, fence, attempt, from, lines, gotOn = false }) {
      const record = recordOf(memory, id);
      if (record === undefined || !isHeld(record) || String(record.fence) !== fence || record.attempt !== attempt) {
        return Promise.resolve('stale');
      }
      const { lines: there } = of(id);
      if (there.length === from + lines.length) {
        return Promise.resolve(lines.every((line, i) => there[from + i] === line) ? 'ok' : 'moved');
      }
      if (there.length !== from) return Promise.resolve('moved');
      if (there.length + lines.length > maxLines) return Promise.resolve('full');
      there.push(...lines);
      if (gotOn) record.lossesBefore = record.losses;
      return Promise.resolve('ok');
    },
    async lines({ id, tenant }) {
      return Promise.resolve(owned(id, tenant) === undefined ? undefined : Array.from(of(id).lines));
    },
    async signals({ id, tenant, from }) {
      return Promise.resolve(owned(id, tenant) === undefined ? [] : of(id).signals.slice(from));
    },
    async counts(runs) {
      return Promise.resolve(runs.map(({ id }) => of(id).signals.length));
    },
    async send({ id, tenant, name, value, key }) {
      const record = owned(id, tenant);
      if (record === undefined) return Promise.resolve('missing');
      if (!record.topic.startsWith(workflowPrefix)) return Promise.resolve('other');
      if (isEnd(record.state)) return Promise.resolve('ended');
      const { signals, keys } = of(id);
      if (key !== '' && keys.has(key)) return Promise.resolve('known');
      if (signals.length >= maxSignals + (name === stopSignal ? 10 : 0)) return Promise.resolve('full');
      signals.push({ name, value, at: now() });
      if (key !== '') keys.add(key);
      return Promise.resolve('noted');
    },
    async seed({ id, lines, signals }) {
      const there = of(id);
      if (recordOf(memory, id) !== undefined || there.lines.length + there.signals.length > 0) {
        throw new CortexError('already_exists', `there is a run ${id} already`);
      }
      there.lines.push(...lines);
      there.signals.push(...signals);
      there.seedUntil = now() + seedMs;
      return Promise.resolve();
    },
    async there(_, pointers) {
      return Promise.resolve(pointers.map((one) => textAt(memory, one.replace(/^redis:\/\//, '')) !== undefined));
    },
    async unseed({ id }) {
      if (recordOf(memory, id) === undefined) kept.delete(id);
      return Promise.resolve();
    },
  };
}
