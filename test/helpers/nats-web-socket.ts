// The WebSocket listener of a nats-server, without a NATS client.
import { get } from 'node:http';

/** What the server says first to who comes in: its INFO. Rejects when it lets nobody in. */
export async function natsOverWebSocket(url: string): Promise<unknown> {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  try {
    const text = await new Promise<string>((resolve, reject) => {
      socket.addEventListener('message', ({ data }) => resolve(new TextDecoder().decode(data as ArrayBuffer)));
      socket.addEventListener('error', () => reject(new Error(`no WebSocket at ${url}`)));
    });
    return JSON.parse(text.replace(/^INFO /, '')) as unknown;
  } finally {
    socket.close();
  }
}

/** The status that a page of this origin gets when it opens a WebSocket there; 101 lets it in. */
export function statusForPage(url: string, origin: string, host = new URL(url).host): Promise<number> {
  const handshake = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' };
  const headers = { host, origin, connection: 'upgrade', upgrade: 'websocket', ...handshake };
  return new Promise((resolve, reject) => {
    const request = get(url.replace('ws:', 'http:'), { headers, agent: false });
    request.once('error', reject);
    request.once('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    request.once('upgrade', (_answer, socket) => {
      socket.destroy();
      resolve(101);
    });
  });
}
