// The gateway's environment: defaults, what goes together, and what it refuses to start with.
import { describe, expect, test } from 'vitest';
import { EnvError } from '#core/process/env.ts';
import { parseGatewayConfig } from '../../../functions/gateway/config.ts';

const problems = (env: Record<string, string>): readonly string[] => {
  try {
    parseGatewayConfig(env);
  } catch (error) {
    if (error instanceof EnvError) return error.problems;
    throw error;
  }
  return [];
};

test('the defaults serve this machine alone, without limits', () => {
  expect(parseGatewayConfig({})).toEqual({
    corsOrigins: undefined,
    ...{ streamLifeMs: 3_600_000, streamsMax: 5_000, streamsMaxPerTenant: 2_000 },
    natsUrl: 'nats://localhost:4222',
    redisUrl: 'redis://localhost:6379',
    httpAddr: { host: '127.0.0.1', port: 8081 },
    rpcAddr: { host: '127.0.0.1', port: 8080 },
    tenant: 'default',
    open: true,
    limit: undefined,
    apiKey: undefined,
    apiKeysPath: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    dataTtl: 24 * 3600 * 1000,
    dataTtlSeconds: undefined,
    metaTtl: 7 * 24 * 3600 * 1000,
    metaTtlSeconds: undefined,
    addr: { host: 'localhost', port: 50051 },
    ...{ token: undefined, kernelCa: undefined, kernelInsecure: undefined },
  });
});

test.each(['GATEWAY_HTTP_ADDR', 'GATEWAY_RPC_ADDR'])('without a key %s stays on this machine', (name) => {
  for (const addr of [':8081', '0.0.0.0:8081', '10.0.0.1:8081', '[::]:8081', 'example.com:80']) {
    expect(problems({ [name]: addr })).toEqual([expect.stringMatching(`^${name}: without API_KEY`)]);
    expect(problems({ [name]: addr, API_KEY: 'k' })).toEqual([]);
    expect(problems({ [name]: addr, API_KEYS_PATH: '/keys.yaml' })).toEqual([]);
  }
  for (const addr of ['localhost:1', '127.0.0.1:0', '[::1]:8081']) expect(problems({ [name]: addr })).toEqual([]);
});

test('an empty API_KEY is no key', () => {
  expect(parseGatewayConfig({ API_KEY: '' }).open).toBe(true);
});

describe('the rate limit', () => {
  test.each([
    [
      { API_RATE_LIMIT_RPS: '50', API_RATE_LIMIT_BURST: '100' },
      { perSecond: 50, burst: 100 },
    ],
    [{ API_RATE_LIMIT_RPS: '10' }, { perSecond: 10, burst: 20 }],
    [{ API_RATE_LIMIT_RPS: '0.1' }, { perSecond: 0.1, burst: 1 }],
    [{ API_RATE_LIMIT_BURST: '7' }, { perSecond: 50, burst: 7 }],
  ])('%o', (env, limit) => {
    expect(parseGatewayConfig(env).limit).toEqual(limit);
  });
});

test('every problem at once, none with its secret', () => {
  const found = problems({
    ...{
      API_KEY: 'two words',
      TENANT_ID: 'a b',
      API_RATE_LIMIT_RPS: '0',
      API_RATE_LIMIT_BURST: 'x',
      GATEWAY_HTTP_ADDR: 'x',
    },
    ...{ NATS_URL: 'http://x', JOB_META_TTL: '7d' },
  });
  expect(found.map((problem) => problem.split(':', 1).join()).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    ...[
      'API_KEY',
      'API_RATE_LIMIT_BURST',
      'API_RATE_LIMIT_RPS',
      'GATEWAY_HTTP_ADDR',
      'JOB_META_TTL',
      'NATS_URL',
      'TENANT_ID',
    ],
  ]);
  expect(found.join()).not.toContain('two words');
});

test.each([
  [{ TENANT_ID: 'a b' }, 'TENANT_ID: '],
  [{ GRPC_TLS_CERT: '/c' }, 'GRPC_TLS_CERT: '],
  [{ GRPC_TLS_KEY: '/k' }, 'GRPC_TLS_CERT: '],
])('%o is told', (env, begin) => {
  expect(problems(env)).toEqual([expect.stringMatching(`^${begin}`)]);
});

test('what goes together is told beside what cannot be read', () => {
  const env = { API_RATE_LIMIT_RPS: 'x', TENANT_ID: 'a b', GRPC_TLS_KEY: 'k.pem', GATEWAY_HTTP_ADDR: '0.0.0.0:1' };
  expect(problems(env).map((problem) => problem.split(':', 1)[0])).toEqual([
    'API_RATE_LIMIT_RPS',
    'TENANT_ID',
    'GATEWAY_HTTP_ADDR',
    'GRPC_TLS_CERT',
  ]);
});

test('CORS_ORIGINS names origins exactly, and there is no *', () => {
  const origins = (text: string) => parseGatewayConfig({ CORS_ORIGINS: text }).corsOrigins;
  expect(origins('https://a.example, http://localhost:5173,')).toEqual(['https://a.example', 'http://localhost:5173']);
  expect(() => origins('*')).toThrow('CORS_ORIGINS: "*" would let in the pages of everybody');
  expect(() => origins('https://a.example,*')).toThrow('there is no *');
  for (const wrong of [
    'a.example',
    'https://a.example/',
    'https://a.example/x',
    'https://*.a.example',
    'HTTPS://a.example',
  ]) {
    expect(() => origins(wrong), wrong).toThrow('is not a list of origins');
  }
  for (const wrong of ['https://a.example:443', 'ftp://a.example', 'null', 'https://user@a.example']) {
    expect(() => origins(wrong), wrong).toThrow(/^CORS_ORIGINS: /);
  }
});
