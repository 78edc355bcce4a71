// A fetch for short messages between our own processes on Node: body and answer are held whole, redirects are not followed. It costs
// half of the built-in one, whose web streams are for bodies that do not fit. And it can trust given authorities alone: the built-in
// one knows only those of the whole process, and adding one there would let it vouch for every other server too.
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { RpcClientOptions } from './connect.ts';

export interface ShortFetchOptions {
  /** Certificates in PEM: over TLS no other authority is trusted. Default: those that Node knows. */
  readonly ca?: Buffer;
}

interface Message {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/** Connections are kept. Rejects with Node's own error, whose `code` tells the reason, or with the signal's. */
export function createShortFetch({ ca }: ShortFetchOptions = {}): NonNullable<RpcClientOptions['fetch']> {
  const http = new HttpAgent({ keepAlive: true });
  const https = new HttpsAgent({ ...(ca !== undefined && { ca }), minVersion: 'TLSv1.2', keepAlive: true });
  const send = ({ url, method, headers, body, signal }: Message): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const lines = { ...Object.fromEntries(headers), 'content-length': body.length };
      const options = { method, headers: lines, ...(signal !== undefined && { signal }) };
      const request = url.startsWith('https:')
        ? requestHttps(url, { ...options, agent: https }, resolve)
        : requestHttp(url, { ...options, agent: http }, resolve);
      // Not `once`: an abort after the headers is told here as well as to who reads the answer.
      request.on('error', reject).end(body);
    });

  return async (input, init) => {
    const answer = await send(await messageOf(input, init));
    const headers = new Headers();
    const lines = answer.rawHeaders;
    for (let i = 0; i + 1 < lines.length; i += 2) headers.append(lines[i] ?? '', lines[i + 1] ?? '');
    const bytes = await buffer(answer);
    // A status such as 204 forbids even an empty body.
    return new Response(bytes.length === 0 ? null : new Uint8Array(bytes), { status: answer.statusCode ?? 0, headers });
  };
}

/** As our RPC client asks, without the detour over a Request that everything else takes. */
async function messageOf(input: string | URL | Request, init: RequestInit = {}): Promise<Message> {
  const { method = 'GET', headers, body, signal } = init;
  if (!(input instanceof Request) && headers instanceof Headers && body instanceof Uint8Array) {
    return { url: String(input), method, headers, body, signal: signal ?? undefined };
  }
  const asked = new Request(input, init);
  const { url, signal: its } = asked;
  return {
    url,
    method: asked.method,
    headers: asked.headers,
    body: new Uint8Array(await asked.arrayBuffer()),
    signal: its,
  };
}
