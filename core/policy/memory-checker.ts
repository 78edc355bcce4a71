// The checker without a kernel: the same rules in the same process, with switches for what can go wrong. For tests.
import { CortexError } from '#core/errors.ts';
import { unwrap } from '#core/result.ts';
import type { Checker, CheckInput, Verdict } from './checker.ts';
import { evaluate } from './evaluate.ts';
import { createMemoryPolicySource } from './memory-source.ts';
import { checkRequest, checkResponse, questionOf, verdictOf } from './wire.ts';

export interface MemoryChecker extends Checker {
  /** From now on nobody answers. */
  down(): void;
  up(): void;
  /** Another policy, as YAML; undefined takes it away. */
  setPolicy(text: string | undefined): void;
  /** Lets a foreign kernel speak: what this answers replaces the parts of the verdict. Undefined ends it. */
  overrule(by: ((input: CheckInput) => Partial<Verdict>) | undefined): void;
}

/** The rules of the shipped config/safety.yaml. */
export const shippedPolicy = 'tenants: {default: {allow_topics: ["job.*"], deny_topics: ["sys.*"]}}';

/** A checker with the shipped rules. `now`, in ms since the epoch, numbers the versions and tells passed deadlines. */
export function createMemoryChecker(now: () => number): MemoryChecker {
  const source = createMemoryPolicySource(shippedPolicy, now);
  let away = false;
  let overruled: ((input: CheckInput) => Partial<Verdict>) | undefined;
  return {
    down: () => void (away = true),
    up: () => void (away = false),
    setPolicy: (text) => source.set(text),
    overrule: (by) => void (overruled = by),
    async check(inputs) {
      if (away) throw new CortexError('unavailable', 'the safety kernel does not answer: it is switched off');
      const { policy, version } = unwrap(await source.current());
      const verdicts = inputs.map((input): Verdict => {
        const judgement = evaluate(policy, questionOf(checkRequest(input)), now());
        return { ...verdictOf(checkResponse(judgement, version), version), ...overruled?.(input) };
      });
      return { policy: version, verdicts };
    },
  };
}
