// WebSockets as the suites see them: what came, how it ended, and the answer where there was no upgrade. One way over a real connection,
// one straight into an app in this process.
import { WebSocket } from 'ws';
import { HttpError } from '#core/http/errors.ts';
import type { Gateway } from '../../functions/gateway/app.ts';
import { markUpgrade, type Socket, type SocketEvents, type Upgrade } from '../../functions/http/upgrade.ts';
import { until } from '../helpers/until.ts';

export interface TestSocket {
  /** What came so far. */
  readonly frames: readonly string[];
  /** The first `n` frames, as JSON. */
  first(n: number, timeout?: number): Promise<readonly Record<string, unknown>[]>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  send(text: string): void;
  close(): void;
}

export type Opened =
  | { readonly socket: TestSocket; readonly refused?: never }
  | { readonly refused: Response; readonly socket?: never };

function testSocket(frames: string[], rest: Pick<TestSocket, 'closed' | 'send' | 'close'>): TestSocket {
  return {
    frames,
    ...rest,
    async first(n, timeout = 5_000) {
      await until(() => frames.length >= n, { timeout, message: () => `${n} frames; there are ${frames.length}` });
      return frames.slice(0, n).map((text) => JSON.parse(text) as Record<string, unknown>);
    },
  };
}

/** Over the network. `http` is the base of the server's address. */
export function openSocket(http: string, path: string, headers: Record<string, string> = {}): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const { Origin: origin, ...others } = headers;
    const ws = new WebSocket(`${http.replace(/^http/, 'ws')}${path}`, {
      headers: others,
      ...(origin === undefined ? {} : { origin }),
    });
    const frames: string[] = [];
    const closed = new Promise<{ code: number; reason: string }>((done) => {
      ws.on('close', (code, reason) => done({ code, reason: reason.toString() }));
    });
    ws.on('message', (data: Buffer, binary) => frames.push(binary ? `binary of ${data.length}` : data.toString()));
    ws.on('error', reject);
    ws.on('open', () =>
      resolve({ socket: testSocket(frames, { closed, send: (text) => ws.send(text), close: () => ws.close() }) }),
    );
    ws.on('unexpected-response', (_request, answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const got = new Headers();
        for (const [name, value] of Object.entries(answer.headers))
          if (value !== undefined) got.set(name, String(value));
        resolve({ refused: new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 0, headers: got }) });
      });
    });
  });
}

export interface MemoryUpgrades {
  readonly upgrade: Upgrade;
  open(app: Gateway['app'], path: string, headers?: Record<string, string>): Promise<Opened>;
}

/** Upgrades without a network: the app's side and the client's are two ends in memory. */
export function memoryUpgrades(): MemoryUpgrades {
  interface Asked {
    open?: (socket: Socket) => SocketEvents;
  }
  return {
    upgrade(c, open) {
      const { asked } = c.env as { readonly asked?: Asked };
      if (asked === undefined) throw new HttpError(426, 'failed_precondition', 'no upgrade');
      asked.open = open;
      return markUpgrade(new Response(null, { status: 204 }));
    },
    async open(app, path, headers = {}) {
      const asked: Asked = {};
      const response = await app.request(path, { headers: { Upgrade: 'websocket', ...headers } }, { asked });
      if (asked.open === undefined) return { refused: response };
      const frames: string[] = [];
      let end: (how: { code: number; reason: string }) => void = () => undefined;
      const closed = new Promise<{ code: number; reason: string }>((resolve) => {
        end = resolve;
      });
      let over = false;
      const finish = (code: number, reason: string): void => {
        if (over) return;
        over = true;
        end({ code, reason });
        events.closed();
      };
      const events = asked.open({
        send: (text) => void (over || frames.push(text)),
        close: (code, reason) => queueMicrotask(() => finish(code, reason)),
        terminate: () => queueMicrotask(() => finish(1006, '')),
        buffered: () => 0,
        ping: () => queueMicrotask(() => events.pong()),
      });
      return {
        socket: testSocket(frames, { closed, send: () => events.message(), close: () => finish(1005, '') }),
      };
    },
  };
}
