// A worker that tries to get out of its process in every way, for tests of what a replay lets through.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup, Resolver, resolve4 } from 'node:dns/promises';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { defineWorker } from '../../../services/worker/define.ts';

const ways: Readonly<Record<string, (port: number) => unknown>> = {
  fetch: (port) => fetch(`http://127.0.0.1:${port}/`),
  http: (port) => once(request({ host: '127.0.0.1', port }).end(), 'response'),
  http2: (port) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`).on('error', () => undefined);
    return once(session.request({ ':path': '/' }).end(), 'response');
  },
  net: (port) => once(connect(port, '127.0.0.1'), 'connect'),
  pipe: () => once(connect('/tmp/some.sock'), 'connect'),
  tls: (port) => once(connectTls(port, '127.0.0.1'), 'secureConnect'),
  websocket: (port) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error('the socket failed')));
    }),
  listen: () => createServer().listen(0),
  datagram: (port) => createSocket('udp4').send('x', port, '127.0.0.1'),
  lookup: () => lookup('localhost'),
  resolve: () => resolve4('localhost'),
  resolver: () => new Resolver().resolve4('localhost'),
  program: () => once(spawn('/bin/true'), 'exit'),
  thread: () => once(new Worker('', { eval: true }), 'online'),
  file: () => writeFileSync('/tmp/cortex-replay-wrote', 'x'),
};

export const wayNames = Object.keys(ways);

export const workers = {
  writing: () =>
    defineWorker({
      ...{ topic: 'job.write', pool: 'write', parallel: 1, input: z.unknown() },
      handle: () => writeFileSync('/tmp/cortex-replay-wrote', 'x'),
    }),
  reaching: () =>
    defineWorker({
      ...{ topic: 'job.reach', pool: 'reach', parallel: 1, input: z.object({ port: z.number() }) },
      async handle({ port }) {
        const outcomes: Record<string, string> = {};
        for (const [name, go] of Object.entries(ways)) {
          try {
            await go(port);
            outcomes[name] = 'got through';
          } catch (error) {
            const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
            outcomes[name] = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
          }
        }
        return outcomes;
      },
    }),
};
