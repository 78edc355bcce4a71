// A function in workerd as a process of `npm start -- --edge`: it bundles the function, puts the texts that it reads into Redis, runs it,
// and tells its health. The function itself is what is deployed; this file is not.
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pushConfig, type StoredName } from '#core/config/stored.ts';
import { CortexError } from '#core/errors.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { kernelEnv } from '#core/policy/kernel-env.ts';
import { type Address, addressUrl } from '#core/process/address.ts';
import { announceListening } from '#core/process/announce.node.ts';
import { type Env, type EnvSpec, type EnvVar, parseEnv } from '#core/process/env.ts';
import { runProcess } from '#core/process/run.node.ts';
import { createUpstashRedis } from '#core/redis/upstash.ts';
import { edgeEnv } from '../../functions/http/edge-env.ts';
import { Stop } from '../bootstrap/stop.mjs';
import { assertSound, findText } from '../config-texts.ts';
import { redisRestEnv } from '../redis-rest/config.ts';
import { workerEntry } from './bundle.ts';
import { runWorkerd } from './workerd.ts';

/** Addresses as this process reads them from its environment. */
export interface Addresses {
  /** Where the function listens. */
  readonly addr: Address;
  readonly kernelAddr: Address;
}

export interface FunctionProcess {
  /** `functions/<name>/worker.ts`. */
  readonly name: 'gateway' | 'safety';
  readonly metricsPort: number;
  /** Where it listens. */
  readonly addr: EnvVar<Address>;
  /** What it is announced as. */
  readonly port: 'http' | 'rpc';
  /** The variables of the function; those that are set are handed on. */
  readonly env: EnvSpec;
  /** Further variables of the function. */
  readonly more?: (addresses: Addresses) => Readonly<Record<string, string>>;
  /** The text that it reads from Redis. */
  readonly reads: StoredName;
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const ownEnv = { restAddr: redisRestEnv.addr, token: edgeEnv.redisRestToken, kernelAddr: kernelEnv.addr };

/** An address as a function dials it. */
export const urlOf = (addr: Address): string => addressUrl(addr, 'http');

/** Runs until it is told to stop, or until workerd ends. */
export function runFunction({ name, metricsPort, addr, port, env, more, reads }: FunctionProcess): Promise<void> {
  return runProcess({
    name: `cortex-${name}-workerd`,
    metricsPort,
    metrics: createPromMetrics({ owns: [] }),
    config(given) {
      const own = parseEnv({ addr, ...ownEnv }, given);
      const known = Object.values(env).flatMap((variable) => [[variable.name, given[variable.name]] as const]);
      const named = { REDIS_REST_URL: urlOf(own.restAddr), ...more?.(own) };
      const handed = Object.entries({ ...Object.fromEntries(known), ...named });
      return {
        ...own,
        given,
        handed: Object.fromEntries(handed.filter(([, value]) => (value ?? '') !== '')) as Record<string, string>,
      };
    },
    async start({ config, log, health, resources, fail }) {
      const found = findText(reads, undefined, { env: config.given, cwd: process.cwd(), checkout: root });
      if (found !== undefined && isNews(found.path, config.given)) {
        assertSound([found]);
        const redis = createUpstashRedis({ url: urlOf(config.restAddr), token: config.token });
        const { version, changed } = await pushConfig(redis, reads, found.content);
        log.info(changed ? 'pushed into Redis' : 'is in Redis already', { text: reads, path: found.path, ...version });
      }
      const options = { root, entry: workerEntry(name), addr: config.addr, env: config.handed };
      const running = await resources.use(
        'workerd',
        () => runWorkerd({ ...options, line: (line) => process.stdout.write(`${jsonLine(line)}\n`) }),
        (one) => one.stop(),
      );
      let stopping = false;
      void running.exited.then((how) => {
        if (!stopping) fail(new CortexError('unavailable', `workerd ended: ${how}`));
      });
      const url = urlOf({ ...config.addr, port: running.port });
      health.check('function', async () => {
        const answer = await fetch(`${url}/health`);
        if (!answer.ok) throw new Stop(`it answers ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
        return {};
      });
      announceListening(port, url);
      return {
        drain: async () => {
          stopping = true;
        },
      };
    },
  });
}

/**
 * False when this process is started again and the file is as it was: what `cortex config push` put there since then stays in force, and
 * a process that died does not bring the policy of before back.
 */
function isNews(path: string, { CORTEX_LAUNCHED_BEFORE: before }: Env): boolean {
  return before === undefined || statSync(path).ctimeMs > Number(before);
}

/** Lines of the function are JSON; those of the runtime are made so. */
function jsonLine(line: string): string {
  return line.startsWith('{') ? line : JSON.stringify({ level: 'warn', service: 'workerd', msg: line });
}
