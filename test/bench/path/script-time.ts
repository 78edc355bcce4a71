// Microseconds of redis-server by script, from its own SLOWLOG with a threshold below what a script takes. Single commands inside
// scripts are below it nearly always; calls that were too quick to be logged are told as the rest.
import type { Redis as Client } from 'ioredis';
import { Redis } from 'ioredis';
import type { Script } from '#core/redis/redis.ts';
import { scriptDigest } from '#core/redis/script-digest.ts';
import * as attempt from '#core/jobs/scripts/attempt.ts';
import * as claim from '#core/jobs/scripts/claim.ts';
import * as commit from '#core/jobs/scripts/commit.ts';
import * as create from '#core/jobs/scripts/create.ts';
import * as gate from '#core/jobs/scripts/gate.ts';
import * as lifecycle from '#core/jobs/scripts/lifecycle.ts';
import * as read from '#core/jobs/scripts/read.ts';

export interface ScriptTime {
  readonly name: string;
  readonly calls: number;
  readonly micros: number;
}

/** Names of the store's scripts by the digest that the server knows them by. */
export function scriptNames(): ReadonlyMap<string, string> {
  const found = [attempt, claim, commit, create, gate, lifecycle, read].flatMap((module) => Object.values(module));
  const scripts = found.filter((value): value is Script => typeof value === 'object' && 'source' in value);
  return new Map(scripts.map((script) => [scriptDigest(script), script.name]));
}

const thresholdMicros = 12;

/** Begins to count; what it answers ends it and tells, the most expensive first. */
export async function watchScripts(url: string): Promise<() => Promise<ScriptTime[]>> {
  const { hostname, port } = new URL(url);
  const client = new Redis({ host: hostname, port: Number(port) });
  await client.config('SET', 'slowlog-max-len', '100000');
  await client.call('SLOWLOG', 'RESET');
  await client.config('RESETSTAT');
  await client.config('SET', 'slowlog-log-slower-than', String(thresholdMicros));
  return async () => {
    await client.config('SET', 'slowlog-log-slower-than', '-1');
    const all = await evalsha(client);
    const entries = (await client.call('SLOWLOG', 'GET', '-1')) as [number, number, number, string[]][];
    client.disconnect();
    const names = scriptNames();
    const times = new Map<string, { calls: number; micros: number }>();
    for (const [, , micros, [command = '', digest = '']] of entries) {
      if (command.toUpperCase() !== 'EVALSHA') continue;
      const name = names.get(digest) ?? 'other';
      const time = times.get(name) ?? { calls: 0, micros: 0 };
      times.set(name, { calls: time.calls + 1, micros: time.micros + micros });
    }
    const logged = Array.from(times, ([name, time]) => ({ name, ...time })).sort((a, b) => b.micros - a.micros);
    const sum = (of: (time: ScriptTime) => number): number => logged.reduce((total, time) => total + of(time), 0);
    const rest = { calls: all.calls - sum((t) => t.calls), micros: all.micros - sum((t) => t.micros) };
    return [...logged, { name: `calls below ${thresholdMicros} us`, ...rest }];
  };
}

/** What the server counted for all calls of scripts. */
async function evalsha(client: Client): Promise<{ calls: number; micros: number }> {
  const stats = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await client.info('commandstats'));
  return { calls: Number(stats?.[1] ?? 0), micros: Number(stats?.[2] ?? 0) };
}
