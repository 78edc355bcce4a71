// What `npm start` makes of arguments, environment and addresses.
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { formatAddress } from '#core/process/address.ts';
import { edgeServices, services } from '../../../local/services.ts';
import { parseUpOptions } from '../../../local/up/options.ts';
import { readable } from '../../../local/up/output.ts';
import { withoutSecrets } from '../../../local/up/server-unit.ts';
import { takenPorts } from '../../../local/up/taken.ts';
import { concerned } from '../../../local/up/watch.ts';

describe('parseUpOptions', () => {
  it('gives every service its port of the manifest on loopback, and no server of somebody else', () => {
    const options = parseUpOptions([], {}, services);
    expect(Object.fromEntries([...options.addresses].map(([key, address]) => [key, formatAddress(address)]))).toEqual({
      'safety.rpc': '127.0.0.1:50051',
      'safety.metrics': '127.0.0.1:9093',
      'scheduler.metrics': '127.0.0.1:9090',
      'context-engine.rpc': '127.0.0.1:50070',
      'context-engine.metrics': '127.0.0.1:9094',
      'worker.metrics': '127.0.0.1:9095',
      'orchestrator.metrics': '127.0.0.1:9091',
      'gateway.http': '127.0.0.1:8081',
      'gateway.rpc': '127.0.0.1:8080',
      'gateway.metrics': '127.0.0.1:9092',
    });
    expect(options).toMatchObject({
      watch: false,
      natsUrl: undefined,
      redisUrl: undefined,
      natsPort: 4222,
      natsWsPort: 4223,
      redisPort: 6379,
      appendfsync: 'everysec',
    });
  });

  it('asks the system for every port with --ports auto, and keeps the host', () => {
    for (const args of [['--ports', 'auto'], ['--ports=auto']]) {
      const { addresses } = parseUpOptions(args, { GATEWAY_HTTP_ADDR: '0.0.0.0:1234' }, services);
      expect([...addresses.values()].map(({ port }) => port)).toEqual(services.flatMap((s) => s.ports.map(() => 0)));
      expect(addresses.get('gateway.http')?.host).toBe('0.0.0.0');
    }
  });

  it('names every problem at once', () => {
    const env = {
      GATEWAY_HTTP_ADDR: 'everywhere',
      SCHEDULER_METRICS_ADDR: '127.0.0.1:99999',
      REDIS_APPENDFSYNC: 'never',
      NATS_URL: 'http://somewhere',
      REDIS_PORT: 'x',
    };
    let message = '';
    try {
      parseUpOptions(['--port'], env, services);
    } catch (error) {
      message = String(error);
    }
    for (const variable of Object.keys(env)) expect(message).toContain(variable);
    expect(message).toContain('--port: unknown argument');
  });

  it('refuses one port for two services', () => {
    expect(() => parseUpOptions([], { WORKER_METRICS_ADDR: ':9091' }, services)).toThrow(
      'ORCHESTRATOR_METRICS_ADDR: port 9091 is already that of WORKER_METRICS_ADDR',
    );
  });

  it('shows no key and no password in a problem', () => {
    const env = { REDIS_URL: 'http://user:secret@host', NATS_URL: 'nats//user:secret@host' };
    expect(() => parseUpOptions([], env, services)).toThrow(/REDIS_URL/);
    expect(() => parseUpOptions([], env, services)).not.toThrow(/secret/);
  });

  it('knows a port once in the manifest', () => {
    const ports = services.flatMap((service) => service.ports.map((port) => port.default));
    expect(new Set(ports).size).toBe(ports.length);
  });
});

describe('takenPorts', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it('says port, holder and variable in one line', async () => {
    server = createServer();
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { GATEWAY_HTTP_ADDR: `127.0.0.1:${port}` };
    const { addresses } = parseUpOptions(['--ports', 'auto'], {}, services);
    const wanted = new Map(addresses).set(
      'gateway.http',
      parseUpOptions([], env, services).addresses.get('gateway.http') ?? { host: '', port: 0 },
    );
    const lines = await takenPorts(services, wanted);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`port ${port} (gateway REST and Connect) is taken by pid ${process.pid} (`);
    expect(lines[0]).toContain('set GATEWAY_HTTP_ADDR=127.0.0.1:<another port>');
    expect(lines[0]).not.toContain('\n');
  });

  const linesFor = (address: string) => {
    const env = { GATEWAY_HTTP_ADDR: address };
    const wanted = parseUpOptions([], env, services).addresses.get('gateway.http') ?? { host: '', port: 0 };
    const others = parseUpOptions(['--ports', 'auto'], {}, services).addresses;
    return takenPorts(services, new Map(others).set('gateway.http', wanted));
  };

  it.each([
    ['10.99.99.99:8081', /^GATEWAY_HTTP_ADDR: this machine has no address 10\.99\.99\.99 \(gateway REST.*\)$/],
    ['10.99.99.99:0', /^GATEWAY_HTTP_ADDR: this machine has no address 10\.99\.99\.99 /],
    ['nosuchhost.invalid:8081', /^GATEWAY_HTTP_ADDR: the host nosuchhost\.invalid (is unknown|cannot be found)/],
  ])(
    'names the variable and the reason of an address that this machine cannot listen on: %s',
    async (address, line) => {
      expect(await linesFor(address)).toEqual([expect.stringMatching(line)]);
    },
  );

  const lowPortsAreGuarded = process.platform === 'linux' && openFrom() > 80;
  it.runIf(lowPortsAreGuarded)('says of a low port that the user may not, and not that somebody has it', async () => {
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65_534);
    try {
      expect(await linesFor('127.0.0.1:80')).toEqual([
        expect.stringMatching(/^GATEWAY_HTTP_ADDR: this user may not listen on port 80 /),
      ]);
    } finally {
      if (root) process.seteuid?.(0);
    }
  });
});

/** The first port that every user may listen on. */
function openFrom(): number {
  return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
}

describe('what is shown of a log', () => {
  it('shows warnings and errors in one line, hides the rest', () => {
    expect(readable('{"level":"info","msg":"fine"}', false)).toBeUndefined();
    expect(readable('{"level":"debug","msg":"fine"}', true)).toBeUndefined();
    expect(readable('{"ts":"t","level":"warn","msg":"slow","ms":7,"error":{"message":"no route"}}', false)).toBe(
      'warn slow ms=7 error=no route',
    );
  });

  it('shows what a crash prints on stderr, and not what is printed on stdout', () => {
    expect(readable('Error: boom', true)).toBe('Error: boom');
    expect(readable('{half', true)).toBe('{half');
    expect(readable('Error: boom', false)).toBeUndefined();
    expect(readable('', true)).toBeUndefined();
  });

  it('hides what stands before the @ of a URL', () => {
    expect(withoutSecrets('redis://user:secret@host:1/0')).toBe('redis://host:1/0');
    expect(withoutSecrets('nats://127.0.0.1:4222')).toBe('nats://127.0.0.1:4222');
    expect(withoutSecrets('nats://user:p@SECRET@host:4222')).toBe('nats://host:4222');
    expect(withoutSecrets('rediss://:p%2FSECRET@[::1]:1/2?password=SECRET')).toBe('rediss://[::1]:1/2');
    expect(withoutSecrets('nats://user:p/SE@CRET@host:99999')).toBe('nats://host:99999');
  });
});

describe('which services a change concerns', () => {
  it.each([
    ['services/scheduler/engine.ts', ['scheduler']],
    ['functions/gateway/routes/jobs.ts', ['gateway']],
    ['functions/http/auth.ts', ['safety', 'gateway']],
    ['core/jobs/scripts/claim.lua', ['safety', 'scheduler', 'context-engine', 'worker', 'orchestrator', 'gateway']],
    ['config/pools.yaml', ['safety', 'scheduler', 'context-engine', 'worker', 'orchestrator', 'gateway']],
    ['services/context-engine/service.ts', ['context-engine']],
    ['services/scheduler/DESIGN.md', []],
    ['core/jobs/state.test.ts', []],
    ['core/jobs/.state.ts.swp', []],
  ])('%s', (path, names) => {
    expect(concerned(path, services).map((service) => service.name)).toEqual(names);
  });

  it.each([
    ['functions/gateway/worker.ts', ['gateway']],
    ['functions/safety/app.ts', ['safety']],
    ['functions/http/edge.ts', ['safety', 'gateway']],
  ])('with the functions in workerd: %s', (path, names) => {
    expect(concerned(path, edgeServices).map((service) => service.name)).toEqual(names);
  });
});
