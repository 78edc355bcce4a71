// local/docker-compose.yml, made from the manifest: `npm run compose` writes it, a test compares. It is thin: what a deployment needs
// beyond it (limits, secrets, TLS) is not here.
import { writeFileSync } from 'node:fs';
import { Scalar, stringify } from 'yaml';
import { natsPort, type Part, parts, redisPort, restPart } from './manifest.ts';

const places = { hostOf: (name: string) => name, bind: '0.0.0.0', run: ['node'] } as const;

/** What a service needs beside its addresses, where others can reach it. */
const more: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Without keys a gateway serves its own machine alone, which here would be nobody.
  // Empty counts as unset.
  worker: { OLLAMA_URL: '${OLLAMA_URL:-}', OLLAMA_MODEL: '${OLLAMA_MODEL:-}', MODEL_RECORD: '${MODEL_RECORD:-}' },
  orchestrator: { USE_PLANNER: '${USE_PLANNER:-}', PLANNER_TOPIC: '${PLANNER_TOPIC:-}' },
  gateway: { API_KEY: '${API_KEY:?set API_KEY, for example in .env}' },
  'redis-rest': { REDIS_REST_TOKEN: '${REDIS_REST_TOKEN:?set REDIS_REST_TOKEN, for example in .env}' },
};

/** Reached from this machine; all else stays between the containers. */
const published: Readonly<Record<string, readonly string[]>> = { gateway: ['http', 'rpc'] };

const probe = (port: number): string =>
  `fetch('http://127.0.0.1:${port}/health').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;

function service(part: Part): Record<string, unknown> {
  const ports = (published[part.name] ?? []).flatMap((name) => part.ports[name] ?? []).toSorted((a, b) => a - b);
  return {
    build: { context: '..', dockerfile: 'local/Dockerfile' },
    depends_on: Object.fromEntries(part.needs.map((name) => [name, { condition: 'service_healthy' }])),
    environment: { ...part.env, ...more[part.name] },
    ...(ports.length > 0 && { ports: ports.map((port) => quoted(`127.0.0.1:${port}:${port}`)) }),
    command: [...part.command],
    restart: 'unless-stopped',
    healthcheck: { test: ['CMD', 'node', '-e', probe(part.health ?? 0)], ...patience },
    // A worker's git leaves children, which somebody has to take up.
    init: true,
    ...(part.name === 'redis-rest' && { profiles: ['edge'] }),
  };
}

const patience = { interval: '5s', timeout: '3s', retries: 12 };

/** dclint wants ports in quotes: YAML 1.1 reads some of them as numbers to the base 60. */
function quoted(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.QUOTE_SINGLE;
  return scalar;
}

/** The compose file as text. */
export function composeText(): string {
  const services: Record<string, unknown> = Object.fromEntries(
    [...parts(places), restPart(places)].map((part) => [part.name, service(part)]),
  );
  services['nats'] = {
    image: 'nats:2.10-alpine',
    command: ['--addr', '0.0.0.0', '--port', String(natsPort), '--http_port', '8222'],
    restart: 'unless-stopped',
    healthcheck: { test: ['CMD', 'wget', '-qO-', 'http://127.0.0.1:8222/healthz'], ...patience },
  };
  services['redis'] = {
    image: 'redis:7.2-alpine',
    volumes: ['redis-data:/data'],
    command: [
      ...['redis-server', '--port', String(redisPort), '--save', '', '--maxmemory-policy', 'noeviction'],
      ...['--appendonly', 'yes', '--appendfsync', 'everysec'],
    ],
    restart: 'unless-stopped',
    healthcheck: { test: ['CMD', 'redis-cli', 'ping'], ...patience },
  };
  const sorted = Object.entries(services).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const file = { name: 'cortex', services: Object.fromEntries(sorted), volumes: { 'redis-data': {} } };
  const head = '# Made from local/services.ts by `npm run compose`; change it there, or in local/compose.ts.\n';
  return head + stringify(file, { lineWidth: 0, singleQuote: true });
}

if (import.meta.main) writeFileSync(new URL('docker-compose.yml', import.meta.url), composeText());
