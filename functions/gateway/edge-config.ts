// What the gateway reads from its environment in workerd. API keys come from Redis as well (`cortex config push`).
import { parseStoreEnv } from '#core/jobs/store-env.ts';
import { kernelEnv } from '#core/policy/kernel-env.ts';
import type { Env } from '#core/process/env.ts';
import { bool, required, url } from '#core/process/variables.ts';
import { edgeEnv } from '../http/edge-env.ts';
import { gatewayEnv, limitOf } from './config.ts';

const { apiKey, tenant, rateLimit, rateBurst, dataTtl, dataTtlSeconds, metaTtl, metaTtlSeconds } = gatewayEnv;
const { corsOrigins, streamsMax, streamsMaxPerTenant, streamLifeMs } = gatewayEnv;

export const gatewayEdgeEnv = {
  ...edgeEnv,
  natsWsUrl: required(url('NATS_WS_URL', undefined, 'the bus over WebSocket', ['ws', 'wss'])),
  safetyUrl: url(
    'SAFETY_KERNEL_URL',
    undefined,
    'where a function finds the safety kernel, unless that is bound to it as SAFETY',
    ['http', 'https'],
  ),
  safetyToken: kernelEnv.token,
  loopback: bool(
    'EDGE_LOOPBACK',
    'false',
    'true: the runtime listens on loopback alone, and without any key this machine is served',
  ),
  ...{ apiKey, tenant, rateLimit, rateBurst, dataTtl, dataTtlSeconds, metaTtl, metaTtlSeconds },
  ...{ corsOrigins, streamsMax, streamsMaxPerTenant, streamLifeMs },
};

/** Throws EnvError with every problem. */
export function parseGatewayEdgeConfig(env: Env) {
  const { rateLimit, rateBurst, ...values } = parseStoreEnv(gatewayEdgeEnv, env);
  return { ...values, limit: limitOf(rateLimit, rateBurst) };
}

export type GatewayEdgeConfig = ReturnType<typeof parseGatewayEdgeConfig>;
