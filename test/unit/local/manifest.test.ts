// One list of services: docker compose and `sst dev` are made from it, and say what `npm start` does.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { composeText } from '../../../local/compose.ts';
import { devCommands } from '../../../local/dev-commands.ts';
import { readers } from '../../../local/env-table.ts';
import { parts } from '../../../local/manifest.ts';
import { edgeServices, services } from '../../../local/services.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const composeFile = `${root}local/docker-compose.yml`;

interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly ports?: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
}

const compose = parse(readFileSync(composeFile, 'utf8')) as {
  readonly name: string;
  readonly services: Readonly<Record<string, ComposeService>>;
};
const known = new Set(readers.flatMap(({ rows }) => rows.map(({ name }) => name)));

describe('the compose file', () => {
  test('is what the list makes of it', () => {
    expect(readFileSync(composeFile, 'utf8')).toBe(composeText());
  });

  test('has every service once, under the names of the original where it had one', () => {
    expect(compose.name).toBe('cortex');
    const ours = [...services, ...edgeServices.filter(({ name }) => name === 'redis-rest')].map(({ name }) => name);
    expect(Object.keys(compose.services).toSorted()).toEqual([...ours, 'nats', 'redis'].toSorted());
  });

  test('runs files that are there, with variables that somebody reads, and waits for what each dials', () => {
    for (const { name, command, env, needs, health } of parts({
      hostOf: (one) => one,
      bind: '0.0.0.0',
      run: ['node'],
    })) {
      const service = compose.services[name];
      expect(service?.command).toEqual(command);
      expect(existsSync(`${root}${command[1]}`)).toBe(true);
      expect(service?.environment).toMatchObject(env);
      for (const variable of Object.keys(service?.environment ?? {})) expect(known).toContain(variable);
      expect(Object.keys(service?.depends_on ?? {}).toSorted()).toEqual([...needs].toSorted());
      expect(service?.healthcheck.test.join(' ')).toContain(`:${health}/health`);
    }
  });

  test('publishes to this machine alone, and asks for secrets', () => {
    const published = Object.entries(compose.services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => `${name} ${port}`),
    );
    expect(published).toEqual(['gateway 127.0.0.1:8080:8080', 'gateway 127.0.0.1:8081:8081']);
    expect(compose.services['gateway']?.environment?.['API_KEY']).toMatch(/^\$\{API_KEY:\?/);
    expect(compose.services['redis-rest']?.environment?.['REDIS_REST_TOKEN']).toMatch(/^\$\{REDIS_REST_TOKEN:\?/);
  });

  test('keeps the rules of dclint', () => {
    const run = spawnSync(process.execPath, ['node_modules/.bin/dclint', '--max-warnings', '0', composeFile], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(`${run.stdout}${run.stderr}`.trim()).toBe('');
    expect(run.status).toBe(0);
  });

  test('builds an image that has every file that a command names', () => {
    const copied = Array.from(
      readFileSync(`${root}local/Dockerfile`, 'utf8').matchAll(/^COPY (\S+) /gm),
      ([, from = '']) => from,
    );
    for (const { entry } of [...services, ...edgeServices]) {
      expect(copied.some((folder) => entry.startsWith(`${folder}/`))).toBe(true);
    }
    for (const path of copied) expect(existsSync(`${root}${path}`)).toBe(true);
  });
});

describe('sst dev', () => {
  interface Made {
    readonly name: string;
    readonly dev: { readonly command: string; readonly autostart: boolean };
    readonly environment: Readonly<Record<string, string>>;
  }
  interface Config {
    app(input: { readonly stage: string }): Readonly<Record<string, unknown>>;
    run(): Promise<void>;
  }
  const globals = globalThis as { $config?: unknown; sst?: unknown };
  afterEach(() => {
    delete globals.$config;
    delete globals.sst;
  });
  const load = async (): Promise<{ readonly config: Config; readonly made: Made[] }> => {
    const made: Made[] = [];
    globals.$config = (config: unknown) => config;
    globals.sst = {
      x: {
        DevCommand: function DevCommand(name: string, options: Omit<Made, 'name'>): void {
          made.push({ name, ...options });
        },
      },
    };
    const path = `${root}sst.config.ts`;
    const { default: config } = (await import(path)) as { readonly default: Config };
    return { config, made };
  };

  test('has one stage, at home on this machine, without providers', async () => {
    const { config } = await load();
    expect(config.app({ stage: 'local' })).toEqual({ name: 'cortexos', home: 'local' });
    expect(() => config.app({ stage: 'production' })).toThrow('"local"');
  });

  test('starts the servers and every service, each as npm start does', async () => {
    const { config, made } = await load();
    await config.run();
    expect(made.map(({ name }) => name)).toEqual(['nats', 'redis', ...services.map(({ name }) => name)]);
    expect(made.map(({ name, dev, environment }) => ({ name, command: dev.command, environment }))).toEqual(
      devCommands(),
    );
    for (const { dev, environment } of made.slice(2)) {
      expect(dev.autostart).toBe(true);
      const [node, run, entry = ''] = dev.command.split(' ');
      expect([node, run]).toEqual(['node', 'local/run.mjs']);
      expect(existsSync(`${root}${entry}`)).toBe(true);
      for (const variable of Object.keys(environment)) expect(known).toContain(variable);
    }
  });
});
