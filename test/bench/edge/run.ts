// `npm run bench -- edge`: the gateway in workerd started directly, beside the same app on Node and a trivial Hono worker: requests per
// second, CPU of the runtime, cold start to the first accepted job, and the size of the bundles.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { bundleWorker, workerEntry } from '../../../local/edge/bundle.ts';
import { startWorkerd } from '../../../local/edge/workerd.ts';
import { freePort } from '../../../local/servers/ports.ts';
import { startRedisRest } from '../../helpers/redis-rest.ts';
import { startNats, startRedis } from '../../helpers/servers.ts';
import { watchCpu } from '../path/cpu.ts';
import { spread } from '../path/stats.ts';

const help = `npm run bench -- edge [options]
  --rounds N       default 5
  --requests N     of one phase, default 3000
  --connections N  default 20`;

const root = fileURLToPath(new URL('../../..', import.meta.url));
const warmup = 300;

interface Target {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<unknown>;
}

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly status: number;
}

/** No server behind the gateway is asked: what the app alone costs. */
const answer: Call = { method: 'GET', path: '/api/v1/jobs/no%20id', status: 404 };
const submit: Call = { method: 'POST', path: '/api/v1/jobs', body: '{"prompt":"a prompt"}', status: 202 };
const trivial: Call = { method: 'GET', path: '/', status: 200 };

/** Prints tables. Throws Error with a sentence for a wrong option. */
export async function benchEdge(args: readonly string[]): Promise<void> {
  const options = {
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '3000' },
    connections: { type: 'string', default: '20' },
    help: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help === true) return console.log(help);
  const [rounds, requests, connections] = [
    whole('rounds', values.rounds),
    whole('requests', values.requests),
    whole('connections', values.connections),
  ];
  const bundles = {
    gateway: (await bundleWorker(root, workerEntry('gateway'))).code,
    safety: (await bundleWorker(root, workerEntry('safety'))).code,
    trivial: (await bundleWorker(root, 'test/bench/edge/trivial-worker.ts')).code,
  };
  console.log('bundle           bytes  gzip');
  for (const [name, code] of Object.entries(bundles)) {
    console.log(`${name.padEnd(12)}${String(code.length).padStart(10)}${String(gzipSync(code).length).padStart(9)}`);
  }

  const webSocketPort = await freePort();
  const [redis, nats] = await Promise.all([
    startRedis({ appendonly: true, appendfsync: 'everysec' }),
    startNats({ webSocketPort }),
  ]);
  const rest = await startRedisRest(redis.url);
  const edgeEnv = {
    ...{ REDIS_REST_URL: rest.url, REDIS_REST_TOKEN: rest.token, NATS_WS_URL: `ws://127.0.0.1:${webSocketPort}` },
    EDGE_LOOPBACK: 'true',
    LOG_LEVEL: 'warn',
  };
  const inWorkerd = async (code: string): Promise<Target> => {
    const addr = { host: '127.0.0.1', port: 0 };
    const running = await startWorkerd({ code, addr, env: edgeEnv, line: (text) => console.error(text) });
    return { pid: running.child.pid ?? 0, url: `http://127.0.0.1:${running.port}`, stop: () => running.stop() };
  };
  const onNode = async (): Promise<Target> => {
    const [http, rpc] = [await freePort(), await freePort()];
    const child = spawn(process.execPath, ['functions/gateway/node.ts'], {
      cwd: root,
      env: {
        ...{ PATH: process.env['PATH'], NATS_URL: nats.url, REDIS_URL: redis.url, LOG_LEVEL: 'warn' },
        ...{
          GATEWAY_HTTP_ADDR: `127.0.0.1:${http}`,
          GATEWAY_RPC_ADDR: `127.0.0.1:${rpc}`,
          METRICS_ADDR: '127.0.0.1:0',
        },
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const stop = async (): Promise<void> => {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    };
    return { pid: child.pid ?? 0, url: `http://127.0.0.1:${http}`, stop };
  };

  try {
    console.log('\ncold start, ms to the first accepted job (median of rounds, range)');
    const starts: Readonly<Record<string, () => Promise<Target>>> = {
      'gateway in workerd': () => inWorkerd(bundles.gateway),
      'gateway on Node': onNode,
    };
    const cold = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [name, start] of Object.entries(starts)) {
        const began = performance.now();
        const target = await start();
        await firstAccepted(target.url);
        cold.set(name, [...(cold.get(name) ?? []), performance.now() - began]);
        await target.stop();
      }
    }
    for (const [name, times] of cold) console.log(`${name.padEnd(28)}${shown(times)}`);

    const edge = await inWorkerd(bundles.gateway);
    const peer = await inWorkerd(bundles.trivial);
    const node = await onNode();
    await firstAccepted(node.url);
    await firstAccepted(edge.url);
    const phases: readonly (readonly [string, Target, Call])[] = [
      ['trivial worker', peer, trivial],
      ['gateway in workerd, answer', edge, answer],
      ['gateway on Node, answer', node, answer],
      ['gateway in workerd, submit', edge, submit],
      ['gateway on Node, submit', node, submit],
    ];
    const rates = new Map<string, number[]>();
    const costs = new Map<string, number[]>();
    for (const [, target, call] of phases) await load(target.url, call, warmup, connections);
    for (let round = 0; round < rounds; round++) {
      for (const [name, target, call] of phases) {
        const cpu = watchCpu({ runtime: target.pid });
        const began = performance.now();
        await load(target.url, call, requests, connections);
        const seconds = (performance.now() - began) / 1000;
        rates.set(name, [...(rates.get(name) ?? []), requests / seconds]);
        costs.set(name, [...(costs.get(name) ?? []), (cpu()['runtime'] ?? 0) / requests]);
      }
    }
    console.log(`\nclosed loop of ${connections} connections     requests/s             us of the runtime a request`);
    for (const [name, figures] of rates) {
      console.log(`${name.padEnd(28)}${shown(figures).padEnd(23)}${shown(costs.get(name) ?? [])}`);
    }
    await Promise.all([edge.stop(), peer.stop(), node.stop()]);
  } finally {
    await rest.stop();
    await Promise.all([nats.stop(), redis.stop()]);
  }
}

function shown(figures: readonly number[]): string {
  const { median, min, max } = spread(figures);
  return `${median.toFixed(0)} (${min.toFixed(0)} to ${max.toFixed(0)})`;
}

/** Asks until a job is accepted: the time until then is the cold start. */
async function firstAccepted(url: string): Promise<void> {
  for (const until = performance.now() + 20_000; performance.now() < until; ) {
    try {
      const answered = await fetch(`${url}${submit.path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: submit.body ?? null,
      });
      await answered.arrayBuffer();
      if (answered.status === 202) return;
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`no job was accepted at ${url}`);
}

/** So many requests over so many connections, each with one outstanding. */
async function load(url: string, call: Call, requests: number, connections: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let left = requests;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const status = await one(url, call, agent);
      if (status !== call.status) throw new Error(`${call.method} ${call.path} answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
  agent.destroy();
}

function one(url: string, { method, path, body }: Call, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length };
    const sent = httpRequest(`${url}${path}`, { method, headers, agent, timeout: 10_000 }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.once('timeout', () => sent.destroy(new Error('no answer in 10 s')));
    sent.end(body);
  });
}

function whole(name: string, text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= 100_000) return n;
  throw new Error(`--${name}: a whole number from 1 to 100000`);
}
