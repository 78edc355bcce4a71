// A policy that is given as text and changed by hand: the in-memory twin of a policy file, for tests.
import { err, type Result } from '#core/result.ts';
import { createPolicyReader, type LoadedPolicy, type PolicySource, unusablePolicy } from './source.ts';

export interface MemoryPolicySource extends PolicySource {
  /** Puts another text in force, from the next question on; undefined takes the policy away. */
  set(text: string | undefined): void;
}

/** A source that starts with `text`. `now`, in ms, numbers the versions. */
export function createMemoryPolicySource(text: string | undefined, now: () => number): MemoryPolicySource {
  const name = 'memory';
  const read = createPolicyReader(name, now);
  const load = (next: string | undefined): Result<LoadedPolicy> =>
    next === undefined ? err(unusablePolicy(name, 'there is none')) : read(next);
  let current = load(text);
  return {
    current: () => Promise.resolve(current),
    set(next) {
      current = load(next);
    },
  };
}
