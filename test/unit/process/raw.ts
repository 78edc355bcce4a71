// A TCP client that says exactly the bytes it is told to, and remembers what it heard.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from '../../helpers/until.ts';

export interface RawClient {
  readonly socket: Socket;
  say(bytes: string | Uint8Array): void;
  /** Everything heard so far. */
  heard(): string;
  /** Waits until what was heard matches. */
  hears(pattern: RegExp): Promise<string>;
  /** Waits until the server has ended the connection; answers everything heard. */
  closed(): Promise<string>;
}

export async function rawClient(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  await once(socket, 'connect');
  let text = '';
  let gone = false;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('end', () => (gone = true));
  socket.on('close', () => (gone = true));
  socket.on('error', () => (gone = true));
  return {
    socket,
    say: (bytes) => void socket.write(bytes),
    heard: () => text,
    hears: async (pattern) => {
      await until(() => pattern.test(text), { message: () => `${String(pattern)} in ${JSON.stringify(text)}` });
      return text;
    },
    closed: async () => {
      await until(() => gone, { message: 'the server to end the connection' });
      return text;
    },
  };
}
