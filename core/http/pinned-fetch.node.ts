// A fetch for Node that trusts given authorities alone: the built-in one knows only those of the whole process, and adding one there
// would let it vouch for every other server too. For short messages: body and answer are held whole, redirects are not followed.
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { RpcClientOptions } from './connect.ts';

/** `ca`: certificates in PEM; no other authority is trusted. Rejects with Node's own error, as its `code` tells the reason. */
export function createPinnedFetch(ca: Buffer): NonNullable<RpcClientOptions['fetch']> {
  const agent = new Agent({ ca, minVersion: 'TLSv1.2', keepAlive: true });
  return async (input, init) => {
    const asked = new Request(input, init);
    const answer = await send(agent, asked, Buffer.from(await asked.arrayBuffer()));
    const headers = new Headers();
    for (const [name, values = []] of Object.entries(answer.headersDistinct)) {
      for (const value of values) headers.append(name, value);
    }
    const bytes = await buffer(answer);
    // A status such as 204 forbids even an empty body.
    return new Response(bytes.length === 0 ? null : new Uint8Array(bytes), {
      status: answer.statusCode ?? 0,
      headers,
    });
  };
}

function send(agent: Agent, { url, method, headers, signal }: Request, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const lines = { ...Object.fromEntries(headers), 'content-length': body.length };
    // Not `once`: an abort after the headers is told here as well as to who reads the answer.
    request(url, { agent, method, headers: lines, signal }, resolve).on('error', reject).end(body);
  });
}
