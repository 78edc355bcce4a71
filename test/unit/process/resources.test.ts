import { describe, expect, it } from 'vitest';
import { createLog } from '#core/log.ts';
import { createHealth } from '#core/process/health.ts';
import { createObserveHandler } from '#core/process/observe.ts';
import { createResources } from '#core/process/resources.ts';
import { noopMetrics } from '#core/metrics/noop.ts';

function collected() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  return { lines, log: createLog({ level: 'debug', now: () => 0, write }) };
}

describe('resources', () => {
  it('are released in reverse, once', async () => {
    const { log } = collected();
    const resources = createResources({ log });
    const order: string[] = [];
    for (const name of ['redis', 'nats', 'engine']) {
      const got = await resources.use(
        name,
        () => Promise.resolve(name.toUpperCase()),
        (value) => order.push(value),
      );
      expect(got).toBe(name.toUpperCase());
    }
    resources.defer('last', () => order.push('last'));
    expect(await Promise.all([resources.releaseAll(), resources.releaseAll()])).toEqual([[], []]);
    expect(order).toEqual(['last', 'ENGINE', 'NATS', 'REDIS']);
  });

  it('does not let one that fails or hangs keep the others from theirs', async () => {
    const { log, lines } = collected();
    const resources = createResources({ log, timeoutMs: 20 });
    const order: string[] = [];
    resources.defer('first', () => order.push('first'));
    resources.defer('hangs', () => new Promise<void>(() => undefined));
    resources.defer('throws', () => {
      throw new Error('no');
    });
    expect(await resources.releaseAll()).toEqual(['throws', 'hangs']);
    expect(order).toEqual(['first']);
    expect(lines.filter((line) => line['level'] === 'error').map((line) => line['resource'])).toEqual([
      'throws',
      'hangs',
    ]);
  });

  it('an acquisition that fails leaves nothing behind', async () => {
    const resources = createResources({ log: collected().log });
    await expect(
      resources.use(
        'bad',
        () => Promise.reject(new Error('no')),
        () => expect.unreachable(),
      ),
    ).rejects.toThrow('no');
    expect(await resources.releaseAll()).toEqual([]);
  });

  it('what arrives after the end began is released at once and refused', async () => {
    const resources = createResources({ log: collected().log });
    const arrive = Promise.withResolvers<string>();
    const released: string[] = [];
    const late = resources.use(
      'late',
      () => arrive.promise,
      (value) => released.push(value),
    );
    expect(await resources.releaseAll()).toEqual([]);
    arrive.resolve('socket');
    await expect(late).rejects.toMatchObject({ code: 'canceled' });
    expect(released).toEqual(['socket']);
    await expect(
      resources.use(
        'later',
        () => expect.unreachable(),
        () => undefined,
      ),
    ).rejects.toMatchObject({ code: 'canceled' });
    expect(() => resources.defer('later', () => undefined)).toThrow(/too late/);
  });
});

describe('health', () => {
  const health = () => {
    let now = 0;
    return { of: createHealth('cortex-test', { monotonic: () => (now += 500) }) };
  };

  it('is 503 while starting and stopping, 200 in between', async () => {
    const { of } = health();
    const handler = createObserveHandler(of, noopMetrics, { host: '', port: 0 });
    const get = async () => {
      const response = await handler(new Request('http://x/health'));
      return [response.status, ((await response.json()) as { status: string }).status];
    };
    expect(await get()).toEqual([503, 'starting']);
    of.enter('running');
    expect(await get()).toEqual([200, 'ok']);
    of.enter('stopping');
    expect(await get()).toEqual([503, 'stopping']);
  });

  it('shows each check; one that is required makes it 503, another only degrades it', async () => {
    const { of } = health();
    of.enter('running');
    let kernel = false;
    of.check('redis', () => ({ durability: 'everysec' }));
    of.check('kernel', () => (kernel ? {} : Promise.reject(new Error('away'))), { required: false });
    expect(await of.report()).toEqual({
      healthy: true,
      body: {
        status: 'degraded',
        service: 'cortex-test',
        uptime_s: expect.any(Number) as number,
        redis: { ok: true, durability: 'everysec' },
        kernel: { ok: false, error: 'away' },
      },
    });
    kernel = true;
    expect((await of.report()).body.status).toBe('ok');
    of.check('redis', () => new Promise(() => undefined)); // never answers
    const report = await of.report();
    expect([report.healthy, report.body.status]).toEqual([false, 'degraded']);
  });

  it('asks once for callers at the same time', async () => {
    const { of } = health();
    let asked = 0;
    of.check('slow', async () => {
      asked++;
      await Promise.resolve();
      return {};
    });
    await Promise.all([of.report(), of.report(), of.report()]);
    expect(asked).toBe(1);
    await of.report();
    expect(asked).toBe(2);
  });

  it.each(['127.0.0.1', '::1', 'localhost'])(
    'on %s answers who names this machine, and no web page of another name',
    async (host) => {
      const handler = createObserveHandler(health().of, noopMetrics, { host, port: 9090 });
      const status = async (name: string) => (await handler(new Request(`http://${name}/metrics`))).status;
      for (const name of ['127.0.0.1:9090', 'localhost', 'LocalHost:9090', '[::1]:9090'])
        expect(await status(name)).toBe(200);
      for (const name of ['evil.example:9090', '10.0.0.1', 'localhost.evil.example'])
        expect(await status(name)).toBe(403);
    },
  );

  it('on other addresses answers whatever it is called', async () => {
    const handler = createObserveHandler(health().of, noopMetrics, { host: '0.0.0.0', port: 9090 });
    expect((await handler(new Request('http://scheduler.svc:9090/metrics'))).status).toBe(200);
  });

  it('serves two routes and says so', async () => {
    const readable = { ...noopMetrics, read: () => Promise.resolve('a_total 1\n') };
    const handler = createObserveHandler(health().of, readable, { host: '', port: 0 });
    const metrics = await handler(new Request('http://x/metrics?x=1'));
    expect([metrics.status, metrics.headers.get('content-type'), await metrics.text()]).toEqual([
      200,
      noopMetrics.contentType,
      'a_total 1\n',
    ]);
    expect((await handler(new Request('http://x/'))).status).toBe(404);
    expect((await handler(new Request('http://x/health', { method: 'POST' }))).status).toBe(405);
  });
});
