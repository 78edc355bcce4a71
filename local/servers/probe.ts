// One question to a server over a plain socket: are you up, and who are you? No client library, so
// that it works before anything else does.
import { connect } from 'node:net';

/** What a running nats-server says of itself, or undefined when none answers on the port. */
export async function probeNats(
  port: number,
  host = '127.0.0.1',
): Promise<{ name: string; version: string } | undefined> {
  const text = await ask(host, port, '', (seen) => seen.includes('\r\n'));
  const line = text?.match(/^INFO (\{.*\})/)?.[1];
  if (line === undefined) return undefined;
  const info: unknown = JSON.parse(line);
  if (typeof info !== 'object' || info === null) return undefined;
  const { server_name: name, version } = info as {
    server_name?: unknown;
    version?: unknown;
  };
  return { name: String(name), version: String(version) };
}

/** The pid of a redis-server that serves on the port; undefined while none does or it still loads. */
export async function probeRedis(
  port: number,
  host = '127.0.0.1',
): Promise<{ pid: number; version: string } | undefined> {
  const text = await ask(host, port, 'INFO server\r\nPING\r\n', (seen) => /(\+PONG|-\w+[^\r]*)\r\n$/.test(seen));
  if (text === undefined || !text.endsWith('+PONG\r\n')) return undefined;
  const pid = text.match(/process_id:(\d+)/)?.[1];
  const version = text.match(/redis_version:([\w.]+)/)?.[1];
  return pid === undefined ? undefined : { pid: Number(pid), version: version ?? '' };
}

/** What a server answers until `enough`; undefined when it cannot be reached or stays silent for a second. */
function ask(
  host: string,
  port: number,
  question: string,
  enough: (seen: string) => boolean,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let seen = '';
    const socket = connect({ host, port });
    const finish = (answer: string | undefined) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => finish(undefined));
    socket.once('error', () => finish(undefined)); // refused or reset: not up, which is the answer
    socket.once('close', () => finish(undefined));
    socket.once('connect', () => {
      if (question !== '') socket.write(question);
    });
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString('utf8');
      if (enough(seen)) finish(seen);
    });
  });
}
