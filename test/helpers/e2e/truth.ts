// What must hold of jobs after any fault, read from Redis and not from what anybody said.
import { expect } from 'vitest';
import { isEnd, isState, type JobState, mayGo } from '#core/jobs/state.ts';
import { list, script, text } from '#core/redis/redis.ts';
import { until } from '../until.ts';
import type { System } from './system.ts';
import { ranKey } from './workers.ts';

const lines = script('lines', `return redis.call('LRANGE',KEYS[1],0,-1)`);
const left = script('left', `return {redis.call('ZCARD','due'),redis.call('HLEN','qn')}`);

/** The states a job went through, in order. */
export async function path(system: System, id: string): Promise<JobState[]> {
  const events = list(await system.db.run(lines, [`job:events:${id}`], [])).map(text);
  return events.map((line) => line.slice(line.indexOf('|') + 1)).filter(isState);
}

/** What handlers really did with a job. */
export async function ran(system: System, id: string): Promise<string[]> {
  return list(await system.db.run(lines, [ranKey(id)], [])).map(text);
}

/** Every job ended once, by steps that the table allows, in one of the states told. */
export async function endedOnce(system: System, ids: readonly string[], ...as: readonly JobState[]): Promise<void> {
  const allowed = as.length === 0 ? ['SUCCEEDED'] : as;
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    const states = await path(system, id);
    const steps = states.map((to, i) => mayGo(states[i - 1] ?? 'none', to));
    expect(steps, `${id}: ${states.join(' ')}`).not.toContain(false);
    const ends = states.filter((state) => isEnd(state));
    expect(ends, `${id}: ${states.join(' ')}`).toHaveLength(1);
    expect(allowed, `${id}: ${states.join(' ')}`).toContain(ends[0]);
  }
}

/** Nothing waits, nothing is due: every end was announced and heard. */
export async function quiet(system: System, timeout = 15_000): Promise<void> {
  let seen: unknown;
  await until(
    async () => {
      seen = await system.db.run(left, [], []);
      return JSON.stringify(seen) === '[0,0]';
    },
    { timeout, message: () => `due and queues to be empty; they hold ${JSON.stringify(seen)}` },
  );
}
