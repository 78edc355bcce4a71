// Servers that do what no honest one does: git is cut off by size, by time and by the signal, and every answer becomes one clear error.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { CortexError } from '#core/errors.ts';
import type { GitServer } from '../../helpers/git-server.ts';
import { fetchOf, publish, refused, server, startServer } from './fetch-rig.ts';

describe('a hostile server', () => {
  test('one that sends elsewhere is not followed', async () => {
    publish('target', { 'a.ts': 'x\n' });
    for (const status of [301, 302, 307, 308]) {
      const elsewhere = await startServer((request, response) => {
        response.writeHead(status, { location: `${server.url}/target${(request.url ?? '').replace(/^\/[^/]*/, '')}` });
        response.end();
        return true;
      });
      const before = server.requests.length;
      const asked = fetchOf(`${elsewhere.url}/x`, { caFile: elsewhere.caFile });
      await expect(asked).rejects.toEqual(refused('failed_precondition', /not followed/));
      expect(server.requests.length).toBe(before);
    }
  });

  test('one whose certificate leads nowhere is not believed', async () => {
    await expect(fetchOf('honest', { caFile: undefined })).rejects.toEqual(
      refused('failed_precondition', /certificate/),
    );
  });

  test.each([
    [401, 'permission_denied', /credentials/],
    [403, 'permission_denied', /credentials/],
    [404, 'not_found', /no repository/],
    [500, 'unavailable', /does not answer/],
    [503, 'unavailable', /does not answer/],
  ])('one that answers %i', async (status, code, message) => {
    const odd = await startServer((_, response) => {
      response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="x"' } : {});
      response.end();
      return true;
    });
    await expect(fetchOf(`${odd.url}/x`, { caFile: odd.caFile })).rejects.toEqual(refused(code, message));
  });

  test('one that is not there, and one that speaks no git', async () => {
    const closed = await startServer();
    await closed.close();
    await expect(fetchOf(`https://localhost:${closed.port}/x`)).rejects.toEqual(
      refused('unavailable', /does not answer/),
    );
    const page = await startServer((_, response) => {
      response.end('<html>');
      return true;
    });
    await expect(fetchOf(`${page.url}/x`, { caFile: page.caFile })).rejects.toMatchObject({ field: 'repo_url' });
  });

  /** Answers as a repository does, and its pack never ends. */
  const endless = (
    onPack: (write: (bytes: Buffer, channel?: number) => boolean, gone: Promise<unknown>) => void,
  ): Promise<GitServer> =>
    startServer((request, response) => {
      const line = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
      if (request.method === 'GET') {
        const head = `${'1'.repeat(40)} HEAD\0multi_ack_detailed side-band-64k shallow symref=HEAD:refs/heads/main\n`;
        response.setHeader('content-type', 'application/x-git-upload-pack-advertisement');
        response.end(
          `${line('# service=git-upload-pack\n')}0000${line(head)}${line(`${'1'.repeat(40)} refs/heads/main\n`)}0000`,
        );
        return true;
      }
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
      request.on('end', () => {
        response.setHeader('content-type', 'application/x-git-upload-pack-result');
        response.write(`${line(`shallow ${'1'.repeat(40)}\n`)}0000`);
        if (body.includes('done')) {
          response.write(line('NAK\n'));
          onPack(
            (bytes, channel = 1) =>
              response.write(
                Buffer.concat([
                  Buffer.from((bytes.length + 5).toString(16).padStart(4, '0')),
                  Buffer.from([channel]),
                  bytes,
                ]),
              ),
            once(response, 'close'),
          );
        } else response.end();
      });
      return true;
    });
  /** A pack with one object of a gigabyte that does not shrink: its beginning, and then whatever comes. */
  const packHead = Buffer.concat([
    Buffer.from('PACK\0\0\0\x02\0\0\0\x01', 'latin1'),
    Buffer.from([0xb0, 0x80, 0x80, 0x80, 0x04]),
    Buffer.from([0x78, 0x01]),
  ]);
  const stored = (bytes: number): Buffer => {
    const head = Buffer.from([0, bytes & 255, bytes >> 8, ~bytes & 255, (~bytes >> 8) & 255]);
    return Buffer.concat([head, randomBytes(bytes)]);
  };

  test('one that sends without end is cut off by size', async () => {
    let sent = 0;
    const flood = await endless((write) => {
      write(packHead);
      const more = (): void => {
        // As fast as it is taken, and never more than a gigabyte: a test that fails must end, too.
        const block = stored(60_000);
        sent += block.length;
        const went = write(block);
        if (sent < 2 ** 30) setTimeout(more, went ? 0 : 5);
      };
      more();
    });
    const started = Date.now();
    const asked = fetchOf(`${flood.url}/x`, { caFile: flood.caFile, maxBytes: 2 ** 20 });
    await expect(asked).rejects.toEqual(refused('out_of_range', /more than 1048576 bytes/));
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test('one that goes silent is cut off by time', async () => {
    const silent = await endless((write) => void write(packHead));
    const asked = fetchOf(`${silent.url}/x`, { caFile: silent.caFile, maxMs: 1500 });
    await expect(asked).rejects.toEqual(refused('deadline_exceeded', /within 1.5 s/));
  });

  test('one that talks without end is cut off by time', async () => {
    const talker = await endless((write) => {
      let left = 2000; // a test that fails must end, too
      const more = (): void => {
        write(Buffer.from('counting objects\n'.repeat(500)), 2);
        if (left-- > 0) setTimeout(more, 2);
      };
      more();
    });
    const asked = fetchOf(`${talker.url}/x`, { caFile: talker.caFile, maxMs: 1500 });
    await expect(asked).rejects.toEqual(refused('deadline_exceeded', /within 1.5 s/));
  });

  test('an abort ends git at once', async () => {
    const controller = new AbortController();
    const reason = new CortexError('canceled', 'enough');
    let begun: () => void = () => undefined;
    const asking = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let left: Promise<unknown> = Promise.reject(new Error('nobody came'));
    left.catch(() => undefined);
    const silent = await endless((write, gone) => {
      left = gone;
      write(packHead);
      begun();
    });
    const asked = fetchOf(`${silent.url}/x`, { caFile: silent.caFile }, { signal: controller.signal });
    const ended = asked.catch((error: unknown) => error);
    await asking;
    const aborted = Date.now();
    controller.abort(reason);
    expect(await ended).toBe(reason);
    await left; // every process that held the connection has ended
    expect(Date.now() - aborted).toBeLessThan(1000);
  });
});
