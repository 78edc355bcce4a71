// What the logs say of one job: whoever looks for it finds it under the same three names in each process.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import type { LogLine } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ logLevel: 'debug' });
}, 60_000);
afterAll(() => system.stop());

test('gateway, scheduler and worker name job, trace and tenant', { timeout: 30_000 }, async () => {
  const worker = await system.worker('job.test.quick', 'told');
  const id = await system.submit('job.test.quick');
  await system.ended([id]);
  const { traceId, tenant } = await system.view(id);
  expect(traceId).not.toBe('');
  const about = { job_id: id, trace_id: traceId, tenant };
  const logs = {
    gateway: ['submitted', system.gateway.process.log],
    scheduler: ['handed out', system.schedulers[0]?.process.log ?? []],
    worker: ['committed', worker.log],
  } as const satisfies Record<string, readonly [string, readonly LogLine[]]>;
  for (const [service, [msg, log]] of Object.entries(logs)) {
    const line = await until(() => log.find((each) => each.msg === msg && JSON.stringify(each).includes(id)), {
      message: () => `a line of the ${service}: ${JSON.stringify(log.slice(-5))}`,
    });
    expect(line, service).toMatchObject(about);
  }
  await worker.stop();
});
