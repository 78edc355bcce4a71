import { describe, expect, it } from 'vitest';
import { readBody, readJson } from '#core/http/body.ts';
import { silentLog } from '#core/log.ts';
import { serveHttp } from '#core/process/http.node.ts';
import { problemResponse } from '#core/http/errors.ts';
import { rawClient } from '../process/raw.ts';

function post(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  return new Request('http://x/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
}

function chunks(...sizes: number[]): {
  stream: ReadableStream<Uint8Array>;
  canceled: () => boolean;
  taken: () => number;
} {
  let canceled = false;
  let taken = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const size = sizes[taken++];
        if (size === undefined) controller.close();
        else controller.enqueue(new Uint8Array(size).fill(65));
      },
      cancel() {
        canceled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, canceled: () => canceled, taken: () => taken };
}

describe('a body', () => {
  it('is read whole up to the limit', async () => {
    expect(await readBody(post(null))).toHaveLength(0);
    expect(new TextDecoder().decode(await readBody(post('hello')))).toBe('hello');
    expect(await readBody(post(chunks(4, 4, 2).stream), { maxBytes: 10 })).toHaveLength(10);
    expect(await readJson(post('{"a":1}'))).toEqual({ a: 1 });
  });

  it('above it is refused: by its length before a byte is read, else as soon as it is too much', async () => {
    const refusal = { status: 413, code: 'invalid_argument', field: 'body', message: 'body: is larger than 10 bytes' };
    const announced = chunks(100);
    await expect(readBody(post(announced.stream, { 'content-length': '100' }), { maxBytes: 10 })).rejects.toMatchObject(
      refusal,
    );
    expect(announced.taken()).toBe(0);
    const endless = chunks(6, 6, 6, 6);
    await expect(readBody(post(endless.stream), { maxBytes: 10 })).rejects.toMatchObject(refusal);
    expect([endless.taken(), endless.canceled()]).toEqual([2, true]);
  });

  it('is refused when it is compressed', async () => {
    await expect(readBody(post('x', { 'content-encoding': 'gzip' }))).rejects.toMatchObject({ status: 415 });
    expect(await readBody(post('x', { 'content-encoding': 'identity' }))).toHaveLength(1);
  });

  it('that is not JSON throws what is wrong with it', async () => {
    await expect(readJson(post('{'))).rejects.toMatchObject({ code: 'invalid_argument', field: 'body' });
  });

  it('on a real server: limits hold, and a client that leaves is `canceled`', async () => {
    const server = await serveHttp({
      addr: { host: '127.0.0.1', port: 0 },
      log: silentLog,
      fetch: async (request) => {
        try {
          return new Response(String((await readBody(request, { maxBytes: 1_000 })).byteLength));
        } catch (error) {
          return problemResponse(error);
        }
      },
    });
    const send = async (body: BodyInit): Promise<[number, string]> => {
      const response = await fetch(server.url, { method: 'POST', body, duplex: 'half' } as RequestInit);
      return [response.status, await response.text()];
    };
    expect(await send('x'.repeat(1_000))).toEqual([200, '1000']);
    expect(await send(chunks(400, 600).stream)).toEqual([200, '1000']);
    expect((await send('x'.repeat(1_001)))[0]).toBe(413);
    expect((await send(chunks(400, 601).stream))[0]).toBe(413);

    const gone = Promise.withResolvers<unknown>();
    const second = await serveHttp({
      addr: { host: '127.0.0.1', port: 0 },
      log: silentLog,
      fetch: async (request) => {
        await readBody(request).catch(gone.resolve);
        return new Response();
      },
    });
    const client = await rawClient(second.address.port);
    client.say('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    client.socket.end();
    expect(await gone.promise).toMatchObject({ code: 'canceled' });
    await Promise.all([server.close(0), second.close(0)]);
  });
});
