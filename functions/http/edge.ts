// The life of a function in workerd: its environment is read once for an isolate, when the first request comes.
import { CortexError, toCortexError } from '#core/errors.ts';
import { defaultMaxBytes } from '#core/http/body.ts';
import { problemResponse } from '#core/http/errors.ts';
import type { Log } from '#core/log.ts';
import type { Env, EnvValues } from '#core/process/env.ts';
import { consoleLog, type edgeEnv } from './edge-env.ts';

/** What the runtime hands in beside a request. */
export interface EdgeContext {
  waitUntil(work: Promise<unknown>): void;
}

export type EdgeHandler = (request: Request, context: EdgeContext) => Promise<Response> | Response;

export interface EdgeSpec<C extends Pick<EnvValues<typeof edgeEnv>, 'logLevel'>> {
  /** `cortex-api-gateway`: in each log line and in /health. */
  readonly name: string;
  /** Parses the texts of the environment. Throws EnvError with every problem. */
  readonly config: (env: Env) => C;
  /** Called once for an isolate. `bindings` is the whole environment, with what is no text in it: other workers. */
  readonly open: (config: C, log: Log, bindings: Readonly<Record<string, unknown>>) => EdgeHandler;
}

export interface EdgeFunction {
  fetch(request: Request, env: Readonly<Record<string, unknown>>, context: EdgeContext): Promise<Response>;
}

/** A function for `export default`. One that is not configured answers 503 with the names of what is wrong, and no value of it. */
export function edgeFunction<C extends Pick<EnvValues<typeof edgeEnv>, 'logLevel'>>(spec: EdgeSpec<C>): EdgeFunction {
  let opened: EdgeHandler | undefined;
  const open = (env: Readonly<Record<string, unknown>>): EdgeHandler => {
    const texts = Object.entries(env).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []));
    const config = spec.config(Object.fromEntries(texts) as Env);
    return spec.open(config, consoleLog(spec.name, config), env);
  };
  return {
    async fetch(request, env, context) {
      try {
        opened ??= open(env);
      } catch (error) {
        const message = `this function is not configured: ${toCortexError(error).message}`;
        // oxlint-disable-next-line no-console -- without a configuration there is no log yet
        console.log(JSON.stringify({ level: 'error', service: spec.name, msg: message }));
        return problemResponse(new CortexError('unavailable', message));
      }
      const response = await opened(request, context);
      await readRest(request);
      return response;
    },
  };
}

/**
 * What was refused without being read is read and thrown away, unless it is large: workerd would break the connection of a client that
 * still writes, which then hears of no answer.
 */
async function readRest(request: Request): Promise<void> {
  const length = Number(request.headers.get('content-length') ?? 'none');
  if (request.bodyUsed || !(length <= defaultMaxBytes)) return;
  try {
    await request.arrayBuffer();
  } catch {
    // The client left: nobody waits for the answer.
  }
}
