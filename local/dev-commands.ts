// What `sst dev` runs, from the manifest: the servers and every process of ours, on loopback.
import { localServers, parts } from './manifest.ts';

export interface DevCommand {
  readonly name: string;
  /** As one types it, from the root of the checkout. */
  readonly command: string;
  readonly environment: Record<string, string>;
}

/** In the order in which they start; each waits by itself for those that it dials. */
export function devCommands(): DevCommand[] {
  const places = { hostOf: () => '127.0.0.1', bind: '127.0.0.1', run: ['node', 'local/run.mjs'] };
  const roots = { REPO_LOCAL_ROOTS: '.' };
  return [...localServers('.'), ...parts(places)].map(({ name, command, env }) => ({
    name,
    command: command.map((word) => (word === '' ? "''" : word)).join(' '),
    environment: { ...env, ...(name === 'worker' ? roots : {}) },
  }));
}
