// A request that becomes a WebSocket, without a word about the runtime: each brings its own way to upgrade.
import type { AppContext } from './route.ts';

/** The server's side of an open WebSocket. Nothing here throws; what comes after the end is dropped. */
export interface Socket {
  send(text: string): void;
  /** Begins to close, with a code and a reason of 123 bytes at most. */
  close(code: number, reason: string): void;
  /** Cuts the connection, if it is still there. */
  terminate(): void;
  /** Bytes that were sent and that the network has not taken; 0 where the runtime does not tell. */
  buffered(): number;
  /** Where it does not tell: bytes that may be sent in all, since all of them may wait in memory. */
  readonly mostBytes?: number;
  /** Asks for a sign of life; undefined where the runtime cannot. */
  readonly ping: (() => void) | undefined;
}

export interface SocketEvents {
  message(): void;
  pong(): void;
  /** It is closed, whoever did it. Called once. */
  closed(): void;
}

/**
 * Answers with the upgrade, and calls `open` once the socket is there. When it never comes the signal of the request aborts. The request
 * has been checked to be one for a WebSocket. Throws HttpError 426 where it cannot become one.
 */
export type Upgrade = (c: AppContext, open: (socket: Socket) => SocketEvents) => Response | Promise<Response>;

const upgraded = new WeakSet<Response>();

/** Marks an answer that stands for an upgrade, where the runtime cannot write 101 into it. */
export function markUpgrade(response: Response): Response {
  upgraded.add(response);
  return response;
}

/** The status as it goes out. */
export function statusOf(response: Response): number {
  return upgraded.has(response) ? 101 : response.status;
}
