// What a command is, and what it gets to do its work. One file per command stands in commands/.
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { readApiKey } from './api-key.ts';
import type { Args, Options, Shape } from './args.ts';
import { type Client, createClient, sendsKeyInTheOpen } from './client.ts';
import type { ExitCode } from './exit.ts';
import type { Sources } from './files.ts';
import { findGateway } from './find-gateway.ts';
import type { Output } from './output.ts';

export interface Command extends Shape {
  readonly summary: string;
  /** Sentences for `help COMMAND`, one paragraph each. */
  readonly notes?: readonly string[];
  /** What one might type after `cortex`, and why. */
  readonly examples?: readonly (readonly [string, string])[];
  run(context: Context): Promise<ExitCode>;
}

export interface Context {
  readonly args: Args;
  readonly out: Output;
  readonly sources: Sources;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the person stands, and the root of the checkout that this CLI is part of. */
  readonly cwd: string;
  readonly checkout: string;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  /** Unix ms. */
  readonly now: () => number;
  /** A call of this CLI as the person would type it. */
  readonly command: (rest: string) => string;
  /** The client that the options of `gatewayOptions` and the environment ask for; another signal for what must be said after Ctrl-C. */
  readonly client: (signal?: AbortSignal) => Client;
}

/** Options of every command that asks the gateway. */
export const gatewayOptions: Options = {
  tenant: { kind: 'text', value: 'TENANT', help: 'act for this tenant; needs the key of an admin' },
  gateway: { kind: 'text', value: 'URL', help: 'the gateway, in place of CORTEX_URL' },
  'key-file': { kind: 'text', value: 'FILE', help: 'a file with the API key, in place of CORTEX_API_KEY' },
  json: { kind: 'flag', help: 'print what the gateway answers, as it is' },
};

export const helpOption: Options = { help: { kind: 'flag', help: 'explain this command' } };

export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  /** Where paths begin. */
  readonly cwd: string;
  /** The root of the checkout that this CLI is part of. */
  readonly checkout: string;
  readonly version: string;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

export function createContext(world: World, args: Args, out: Output, command: Context['command']): Context {
  const { env, stdin, cwd, checkout, version, now, signal } = world;
  const path = (text: string): string => resolve(cwd, text);
  let warned = false;
  const warn = (line: string): void => {
    if (!warned) out.note(line);
  };
  const client = (ends = signal): Client => {
    const gateway = findGateway({ option: args.text('gateway'), env, cwd, checkout });
    const file = args.text('key-file');
    const key = readApiKey({ file: file === undefined ? undefined : path(file), env, warn });
    if (sendsKeyInTheOpen(gateway, key)) warn(`the key goes to ${gateway.url} without encryption`);
    warned = true;
    return createClient({
      gateway,
      key,
      tenant: args.text('tenant'),
      signal: ends,
      userAgent: `cortex-cli/${version}`,
    });
  };
  return { args, out, sources: { stdin, path }, env, cwd, checkout, signal, now, command, client };
}
