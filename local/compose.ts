// local/docker-compose.yml, made from the manifest: `npm run compose` writes it, a test compares. It is thin: what a deployment needs
// beyond it (limits, secrets, TLS) is not here.
import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { natsPort, type Part, parts, redisPort, restPart } from './manifest.ts';

const places = { hostOf: (name: string) => name, bind: '0.0.0.0', run: ['node'] } as const;

/** What a service needs beside its addresses, where others can reach it. */
const more: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Without keys a gateway serves its own machine alone, which here would be nobody.
  gateway: { API_KEY: '${API_KEY:?set API_KEY, for example in .env}' },
  'redis-rest': { REDIS_REST_TOKEN: '${REDIS_REST_TOKEN:?set REDIS_REST_TOKEN, for example in .env}' },
};

/** Reached from this machine; all else stays between the containers. */
const published: Readonly<Record<string, readonly string[]>> = { gateway: ['http', 'rpc'] };

const probe = (port: number): string =>
  `fetch('http://127.0.0.1:${port}/health').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))`;

function service(part: Part): Record<string, unknown> {
  const ports = (published[part.name] ?? []).flatMap((name) => part.ports[name] ?? []);
  return {
    image: 'cortexos',
    build: { context: '..', dockerfile: 'local/Dockerfile' },
    ...(part.name === 'redis-rest' && { profiles: ['edge'] }),
    depends_on: Object.fromEntries(part.needs.map((name) => [name, { condition: 'service_healthy' }])),
    healthcheck: {
      test: ['CMD', 'node', '-e', probe(part.health ?? 0)],
      interval: '5s',
      timeout: '3s',
      retries: 12,
    },
    ...(ports.length > 0 && { ports: ports.map((port) => `127.0.0.1:${port}:${port}`) }),
    environment: { ...part.env, ...more[part.name] },
    command: [...part.command],
    restart: 'unless-stopped',
  };
}

/** The compose file as text. */
export function composeText(): string {
  const ours = [...parts(places), restPart(places)].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const redisProbe = ['CMD', 'redis-cli', 'ping'];
  const file = {
    name: 'cortex',
    services: {
      ...Object.fromEntries(ours.filter(({ name }) => name < 'nats').map((part) => [part.name, service(part)])),
      nats: {
        image: 'nats:2.10-alpine',
        healthcheck: {
          test: ['CMD', 'wget', '-qO-', 'http://127.0.0.1:8222/healthz'],
          interval: '5s',
          timeout: '3s',
          retries: 12,
        },
        command: ['--addr', '0.0.0.0', '--port', String(natsPort), '--http_port', '8222'],
        restart: 'unless-stopped',
      },
      ...Object.fromEntries(
        ours.filter(({ name }) => name > 'nats' && name < 'redis').map((part) => [part.name, service(part)]),
      ),
      redis: {
        image: 'redis:7.2-alpine',
        healthcheck: { test: redisProbe, interval: '5s', timeout: '3s', retries: 12 },
        volumes: ['redis-data:/data'],
        command: [
          ...['redis-server', '--port', String(redisPort), '--save', '', '--maxmemory-policy', 'noeviction'],
          ...['--appendonly', 'yes', '--appendfsync', 'everysec'],
        ],
        restart: 'unless-stopped',
      },
      ...Object.fromEntries(ours.filter(({ name }) => name > 'redis').map((part) => [part.name, service(part)])),
    },
    volumes: { 'redis-data': {} },
  };
  const head = '# Made from local/services.ts by `npm run compose`; change it there, or in local/compose.ts.\n';
  return head + stringify(file, { lineWidth: 0, singleQuote: true, defaultStringType: 'PLAIN' });
}

if (import.meta.main) writeFileSync(new URL('docker-compose.yml', import.meta.url), composeText());
