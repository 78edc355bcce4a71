// What reaches a redis-server, call by call, as its MONITOR tells it: by script and command, and apart from that how many commands run
// inside scripts. `INFO commandstats` cannot tell the two apart.
import { once } from 'node:events';
import { connect } from 'node:net';
import { scriptDigest } from '#core/redis/script-digest.ts';
import type { Script } from '#core/redis/redis.ts';
import { scriptNames } from './path/script-time.ts';

export interface Counted {
  /** Calls at the port by the script's name, or the command's. */
  readonly calls: ReadonlyMap<string, number>;
  /** Commands inside scripts. */
  readonly inner: number;
  readonly seconds: number;
}

export interface PortWatch {
  /** What came since the last call of this. */
  take(): Counted;
  stop(): void;
}

/** Watches until stopped. Calls of the scripts in `ignored` are the watcher's own and do not count. */
export async function watchPort(port: number, ignored: readonly Script[]): Promise<PortWatch> {
  const names = scriptNames();
  const own = new Set(ignored.map(scriptDigest));
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  let calls = new Map<string, number>();
  let inner = 0;
  let since = performance.now();
  let ours = false;
  let rest = '';
  const line = (text: string): void => {
    // +1764000000.123456 [0 127.0.0.1:50000] "EVALSHA" "<digest>" ..., and [0 lua] for what a script calls, right after it.
    const [, source, command = '', first = ''] = /^\+[\d.]+ \[\d+ ([^\]]+)\] "([^"]*)"(?: "([^"]*)")?/.exec(text) ?? [];
    if (source === undefined) return;
    if (source === 'lua') {
      if (!ours) inner++;
      return;
    }
    const isScript = command.toUpperCase() === 'EVALSHA';
    ours = isScript && own.has(first);
    if (ours) return;
    const name = isScript ? (names.get(first) ?? `script ${first.slice(0, 8)}`) : command.toUpperCase();
    calls.set(name, (calls.get(name) ?? 0) + 1);
  };
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\r\n');
    rest = lines.pop() ?? '';
    for (const text of lines) line(text);
  });
  socket.write('MONITOR\r\n');
  await once(socket, 'data'); // +OK: from here on nothing is missed
  return {
    take() {
      const now = performance.now();
      const taken = { calls, inner, seconds: (now - since) / 1000 };
      [calls, inner, since] = [new Map(), 0, now];
      return taken;
    },
    stop: () => void socket.destroy(),
  };
}
