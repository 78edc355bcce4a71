// The context engine that a command asks by itself: named, or the one of a system that runs from a checkout of ours. It is an operator's
// door, as Redis is: the engine knows no keys of persons, and believes which tenant is named.
import { createRpcClient } from '#core/http/connect.ts';
import { CortexError } from '#core/errors.ts';
import { addressUrl, parseAddress } from '#core/process/address.ts';
import { ContextEngine } from '#proto/cortex/v1/context_pb.ts';
import { Stop } from '../bootstrap/stop.mjs';
import type { Options } from './args.ts';
import type { Context } from './command.ts';
import { exit, type ExitCode } from './exit.ts';
import { findRun, parseUrl } from './find-gateway.ts';

const fallback = 'http://127.0.0.1:50070';
const timeoutMs = 30_000;

export type EngineClient = ReturnType<typeof createRpcClient<typeof ContextEngine>>;

export const engineOptions: Options = {
  tenant: { kind: 'text', value: 'TENANT', help: 'whose; the tenant of the engine without it' },
  engine: { kind: 'text', value: 'URL', help: 'the context engine, in place of CONTEXT_ENGINE_ADDR' },
  json: { kind: 'flag', help: 'print what the engine answers, as it is' },
};

/** Asks it. Throws Stop with one line when it refuses or cannot be reached. */
export async function askEngine<T>(context: Context, ask: (engine: EngineClient) => Promise<T>): Promise<T> {
  const url = findEngine(context);
  const token = context.env['CONTEXT_ENGINE_TOKEN'] ?? '';
  const client = createRpcClient(ContextEngine, { baseUrl: url, timeoutMs, ...(token !== '' && { token }) });
  try {
    return await ask(client);
  } catch (error) {
    if (!(error instanceof CortexError)) throw error;
    const problem = error.code === 'unavailable' ? `the context engine at ${url} cannot be reached` : error.message;
    throw new Stop(problem, exits[error.code] ?? exit.broken);
  }
}

const exits: Partial<Record<CortexError['code'], ExitCode>> = {
  invalid_argument: exit.usage,
  out_of_range: exit.usage,
  not_found: exit.notFound,
  unauthenticated: exit.refused,
  unavailable: exit.unreachable,
  deadline_exceeded: exit.unreachable,
};

function findEngine({ args, env, cwd, checkout }: Context): string {
  const option = args.text('engine');
  if (option !== undefined) return parseUrl('--engine', option);
  const said = env['CONTEXT_ENGINE_ADDR'] ?? '';
  if (said === '') return findRun({ cwd, checkout }, ({ urls }) => urls['context_engine'])?.value ?? fallback;
  const address = parseAddress(said);
  if (address === undefined)
    throw new Stop(`CONTEXT_ENGINE_ADDR: ${JSON.stringify(said)} is not host:port`, exit.usage);
  return addressUrl(address);
}
