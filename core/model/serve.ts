// The configured models, ready to be asked. Around each driver, from the inside: patience with its silence, the meter, the breaker, its slots (none
// is held while a retry waits), retries, the size of its context; and at the end its fallbacks.
import type { Log } from '#core/log.ts';
import type { Clock } from '#core/system.ts';
import { withBreaker } from './breaker.ts';
import { costOf } from './budget.ts';
import { withFallbacks } from './fallbacks.ts';
import { withFit } from './fit.ts';
import { withMeter } from './meter.ts';
import type { DriverOptions, Model, Usage } from './model.ts';
import type { ModelEntry, ModelsConfig, Provider } from './models.ts';
import { withPatience } from './patience.ts';
import { withRetry } from './retry.ts';
import { withSlots } from './slots.ts';

export interface Models {
  /** The one that answers, with its fallbacks. */
  readonly default: Model;
  /** As its provider calls it, by which tokens are counted. */
  readonly providerModel?: string;
  /** Tokens that a prompt may have so that an answer has the room it may take, at every model that may be asked. */
  readonly promptTokens?: number;
  /** Requests that it takes at once. */
  readonly concurrency: number;
  /** US dollars; undefined when the model's price is not known. */
  cost(model: string, usage: Usage): number | undefined;
}

export type Drivers = Readonly<Record<Provider, (options: DriverOptions) => Model>>;

interface ServeDeps {
  readonly drivers: Drivers;
  readonly clock: Clock;
  readonly log: Log;
  /** The value of a variable that holds a key. */
  readonly key: (variable: string) => string | undefined;
}

/** undefined: no model is configured. */
export function serveModels({ entries, default: first }: ModelsConfig, deps: ServeDeps): Models | undefined {
  const chosen = first === undefined ? undefined : entries.get(first);
  if (chosen === undefined) return undefined;
  const others = chosen.fallbacks.flatMap((name) => entries.get(name) ?? []);
  return {
    default: withFallbacks(
      serveOne(chosen, deps),
      others.map((entry) => serveOne(entry, deps)),
      deps.log,
    ),
    providerModel: chosen.model,
    promptTokens: Math.min(...[chosen, ...others].map(({ context, maxOutput }) => context - maxOutput)),
    concurrency: chosen.concurrency,
    cost(name, usage) {
      const price = entries.get(name)?.price;
      return price === undefined ? undefined : costOf(usage, price);
    },
  };
}

function serveOne(entry: ModelEntry, { drivers, clock, key }: ServeDeps): Model {
  const { name, model, baseUrl, maxOutput, keyEnv } = entry;
  const apiKey = keyEnv === undefined ? undefined : key(keyEnv);
  const driver = drivers[entry.provider]({ name, model, baseUrl, apiKey, maxOutput, now: () => clock.now() });
  const asked = withBreaker(withMeter(withPatience(driver, clock, entry.patienceMs)), clock);
  return withFit(withRetry(withSlots(asked, entry.concurrency), clock), entry);
}
