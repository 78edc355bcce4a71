// Environment variables as typed, described declarations. A spec is a record of them; parsing one gives a frozen value or
// every problem at once. It reads a record that it is given, never a process, so it works in functions too.
import { CortexError } from '#core/errors.ts';
import { ok, err, type Result } from '#core/result.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface EnvVar<T> {
  readonly name: string;
  /** As it would be written; undefined when the variable has no default. */
  readonly default: string | undefined;
  /** One line for people: what it does. */
  readonly what: string;
  /** What may be written: `whole number from 1 to 10`. */
  readonly type: string;
  readonly required: boolean;
  /** Its value is never shown, neither in a problem nor in a table. */
  readonly secret: boolean;
  readonly parse: (text: string) => Result<T, string>;
}

export type EnvSpec = Readonly<Record<string, EnvVar<unknown>>>;
export type EnvValues<S extends EnvSpec> = {
  readonly [K in keyof S]: S[K] extends EnvVar<infer T> ? T : never;
};

/** Configuration that cannot be used; one line per problem, each beginning with the variable or field. */
export class EnvError extends CortexError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super('invalid_argument', problems.join('; '));
    this.name = 'EnvError';
    this.problems = problems;
  }
}

/** Reads a spec. An empty variable counts as unset, as compose files write `API_KEY=`; blanks around a value are dropped. */
export function readEnv<S extends EnvSpec>(spec: S, env: Env): Result<EnvValues<S>, readonly string[]> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [key, variable] of Object.entries(spec)) {
    const written = env[variable.name]?.trim() ?? '';
    const text = written === '' ? variable.default : written;
    if (text === undefined) {
      if (variable.required) problems.push(`${variable.name}: is not set (${variable.type})`);
      values[key] = undefined;
      continue;
    }
    const parsed = variable.parse(text);
    if (parsed.ok) values[key] = parsed.value;
    else {
      const shown = variable.secret
        ? 'its value'
        : JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);
      problems.push(`${variable.name}: ${shown} ${parsed.error}`);
    }
  }
  return problems.length === 0 ? ok(Object.freeze(values) as EnvValues<S>) : err(problems);
}

/** As `readEnv`. Throws EnvError with every problem. */
export function parseEnv<S extends EnvSpec>(spec: S, env: Env): EnvValues<S> {
  const read = readEnv(spec, env);
  if (read.ok) return read.value;
  throw new EnvError(read.error);
}

/** Names the variable in whatever CortexError comes of using its value: `NATS_URL: no NATS at ...`. */
export async function named<T>(variable: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof CortexError)) throw error;
    throw new CortexError(error.code, `${variable}: ${error.message}`, { cause: error.cause ?? error });
  }
}

/** The values of those variables of a spec that can be read; of the others nothing is said. */
export function readKnown<S extends EnvSpec>(spec: S, env: Env): Partial<EnvValues<S>> {
  const read = Object.entries(spec).map(([key, variable]) => readEnv({ [key]: variable }, env));
  return Object.assign({}, ...read.map((one) => (one.ok ? one.value : {}))) as Partial<EnvValues<S>>;
}

export interface EnvRow {
  readonly name: string;
  /** Empty when there is none. */
  readonly default: string;
  readonly type: string;
  readonly what: string;
}

/** The rows of a table for people, in the order of declaration. */
export function describeEnv(spec: EnvSpec): readonly EnvRow[] {
  return Object.values(spec).map((v) => ({ name: v.name, default: v.default ?? '', type: v.type, what: v.what }));
}
