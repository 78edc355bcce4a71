// Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes of a connection, and gives the bytes back unread.
// It parses nothing: what is not the HTTP/2 preface is left to the HTTP/1.1 server, which answers garbage with 400.
import type { Socket } from 'node:net';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export type HttpVersion = 'http1' | 'http2';

/** What the first bytes say, or `undefined` while they could still become the preface. */
export function classify(bytes: Uint8Array): HttpVersion | undefined {
  const length = Math.min(bytes.length, preface.length);
  if (preface.compare(bytes, 0, length, 0, length) !== 0) return 'http1';
  return length === preface.length ? 'http2' : undefined;
}

/**
 * Waits for the first bytes and calls `found` once, with the socket as if nobody had read from it. A client that says too
 * little within `timeoutMs`, or goes, is cut off and never reported.
 */
export function sniff(socket: Socket, timeoutMs: number, found: (version: HttpVersion) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const giveUp = (): void => {
    settle();
    socket.destroy();
  };
  const timer = setTimeout(giveUp, timeoutMs);
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const version = classify(seen);
    if (version === undefined) return;
    settle();
    socket.pause();
    socket.unshift(seen);
    found(version);
    // The HTTP/2 session takes over the handle below the stream; the HTTP/1.1 parser wants the stream to flow.
    if (version === 'http1') socket.resume();
  };
  const settle = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', giveUp).off('error', giveUp).off('close', settle);
  };
  socket.on('data', onData).on('end', giveUp).on('error', giveUp).on('close', settle);
}
