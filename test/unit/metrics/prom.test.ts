import { describe, expect, it } from 'vitest';
import type { Metrics } from '#core/metrics/metrics.ts';
import { noopMetrics } from '#core/metrics/noop.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { type MetricName, metricTable } from '#core/metrics/table.ts';

const quiet = { nodeMetrics: false };
const lines = async (metrics: { read(): Promise<string> }, start: string): Promise<string[]> =>
  (await metrics.read()).split('\n').filter((line) => line.startsWith(start));

describe('the table', () => {
  it("has the original's names, kinds and labels", () => {
    const told = (name: MetricName): string => {
      const { type, labels } = metricTable[name];
      return `${name} ${type} ${labels.join(',')}`;
    };
    // contract.md 4.4, written out by hand.
    expect(Object.keys(metricTable).map((name) => told(name as MetricName))).toEqual(
      expect.arrayContaining([
        'cortex_scheduler_jobs_received_total counter topic',
        'cortex_scheduler_jobs_dispatched_total counter topic',
        'cortex_scheduler_safety_denied_total counter topic',
        'cortex_scheduler_jobs_completed_total counter topic,status',
        'cortex_api_gateway_http_requests_total counter method,route,status',
        'cortex_api_gateway_http_request_duration_seconds histogram method,route',
        'cortex_orchestrator_workflows_started_total counter workflow',
        'cortex_orchestrator_workflows_completed_total counter workflow,status',
        'cortex_orchestrator_workflow_duration_seconds histogram workflow',
      ]),
    );
    const original = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    expect(metricTable.cortex_api_gateway_http_request_duration_seconds.buckets).toEqual(original);
    expect(metricTable.cortex_orchestrator_workflow_duration_seconds.buckets).toEqual(original);
  });

  it('follows the naming rules of Prometheus', () => {
    for (const [name, row] of Object.entries(metricTable)) {
      expect(name).toMatch(/^cortex_[a-z_]+$/);
      if (row.type === 'counter') expect(name).toMatch(/_total$/);
      if (row.type === 'histogram') expect(name).toMatch(/_seconds$/);
      if (row.type === 'gauge') expect(name).not.toMatch(/_total$|_seconds$/);
      expect(row.help).toMatch(/\.$/);
    }
  });

  it('makes a wrong label, a missing one and a wrong verb compile errors', () => {
    const metrics: Metrics = noopMetrics;
    // @ts-expect-error there is no such label
    metrics.count('cortex_scheduler_jobs_received_total', { tenant: 'a' });
    // @ts-expect-error status is missing
    metrics.count('cortex_scheduler_jobs_completed_total', { topic: 'a' });
    // @ts-expect-error a gauge does not count
    metrics.count('cortex_scheduler_queue_depth', { pool: 'a' });
    // @ts-expect-error no such metric
    metrics.gauge('cortex_scheduler_queue_deepness', { pool: 'a' }, 1);
    expect(metrics).toBe(noopMetrics);
  });
});

describe('prom-client', () => {
  it('counts, observes and sets, by label', async () => {
    const metrics = createPromMetrics(quiet);
    metrics.count('cortex_scheduler_jobs_completed_total', { topic: 'job.a', status: 'JOB_STATUS_SUCCEEDED' });
    metrics.count('cortex_scheduler_jobs_completed_total', { status: 'JOB_STATUS_SUCCEEDED', topic: 'job.a' }, 2);
    metrics.count('cortex_bus_dropped_total', {});
    metrics.gauge('cortex_scheduler_queue_depth', { pool: 'chat' }, 7);
    metrics.gauge('cortex_scheduler_queue_depth', { pool: 'chat' }, 3);
    metrics.observe('cortex_safety_check_seconds', {}, 0.004);
    metrics.observe('cortex_scheduler_queue_wait_seconds', { pool: 'chat' }, 0.02);
    expect(await lines(metrics, 'cortex_scheduler_jobs')).toEqual([
      'cortex_scheduler_jobs_completed_total{topic="job.a",status="JOB_STATUS_SUCCEEDED"} 3',
    ]);
    expect(await lines(metrics, 'cortex_bus')).toEqual(['cortex_bus_dropped_total 1']);
    expect(await lines(metrics, 'cortex_scheduler_queue_depth')).toEqual([
      'cortex_scheduler_queue_depth{pool="chat"} 3',
    ]);
    expect(await lines(metrics, 'cortex_safety_check_seconds_bucket{le="0.0025"}')).toEqual([
      'cortex_safety_check_seconds_bucket{le="0.0025"} 0',
    ]);
    expect(await lines(metrics, 'cortex_safety_check_seconds_bucket{le="0.005"}')).toEqual([
      'cortex_safety_check_seconds_bucket{le="0.005"} 1',
    ]);
    expect(await lines(metrics, 'cortex_scheduler_queue_wait_seconds_count')).toEqual([
      'cortex_scheduler_queue_wait_seconds_count{pool="chat"} 1',
    ]);
    expect(await lines(metrics, '# HELP cortex_bus')).toEqual([
      `# HELP cortex_bus_dropped_total ${metricTable.cortex_bus_dropped_total.help}`,
    ]);
  });

  it('lists from the start what the process owns, and nothing of others', async () => {
    const metrics = createPromMetrics({ ...quiet, owns: ['cortex_safety_'] });
    const names = (await lines(metrics, '# TYPE ')).map((line) => line.split(' ')[2]);
    expect(names).toEqual(['cortex_safety_check_seconds', 'cortex_safety_checks_total']);
    expect(await lines(metrics, 'cortex_safety_check_seconds_count')).toEqual(['cortex_safety_check_seconds_count 0']);
  });

  it('keeps registries apart, each with the metrics of Node', async () => {
    const [one, two] = [createPromMetrics(), createPromMetrics()];
    one.count('cortex_redis_calls_total', {});
    expect(await lines(two, 'cortex_redis')).toEqual([]);
    for (const metrics of [one, two]) expect(await lines(metrics, 'nodejs_eventloop_lag_seconds ')).toHaveLength(1);
  });

  it('bounds the topics of a process; what is beyond counts as other, the same topic everywhere', async () => {
    const metrics = createPromMetrics(quiet);
    for (let i = 0; i < 250; i++) {
      metrics.count('cortex_scheduler_jobs_received_total', { topic: `job.${i}` });
      metrics.count('cortex_scheduler_jobs_completed_total', { topic: `job.${249 - i}`, status: 'JOB_STATUS_FAILED' });
    }
    const received = await lines(metrics, 'cortex_scheduler_jobs_received_total{');
    const topics = new Set((await metrics.read()).match(/topic="[^"]*"/g));
    expect(topics.size).toBe(201);
    const sum = received.reduce((total, line) => total + Number(line.split(' ')[1]), 0);
    expect(sum).toBe(250);
    expect(received.find((line) => line.includes('topic="other"'))).toBeDefined();
    expect((await lines(metrics, 'cortex_scheduler_jobs_completed_total{topic="other"')).length).toBe(1);
  });

  it('counts what is known by name, however many others came before, within the same bound', async () => {
    const known = { topic: ['job.chat', 'job.echo'] };
    const metrics = createPromMetrics({ ...quiet, maxLabelValues: 10, known });
    for (let i = 0; i < 30; i++) metrics.count('cortex_scheduler_jobs_received_total', { topic: `job.junk${i}` });
    metrics.count('cortex_scheduler_jobs_received_total', { topic: 'job.chat' });
    metrics.count('cortex_scheduler_jobs_completed_total', { topic: 'job.echo', status: 'JOB_STATUS_FAILED' });
    const received = await lines(metrics, 'cortex_scheduler_jobs_received_total{');
    expect(received).toContain('cortex_scheduler_jobs_received_total{topic="job.chat"} 1');
    expect(received).toContain('cortex_scheduler_jobs_received_total{topic="other"} 22');
    expect(received).toHaveLength(10);
    expect(await lines(metrics, 'cortex_scheduler_jobs_completed_total{topic="job.echo"')).toHaveLength(1);
  });

  it('keeps more known values than the bound, and then no other', async () => {
    const metrics = createPromMetrics({ ...quiet, maxLabelValues: 1, known: { topic: ['job.a', 'job.b'] } });
    for (const topic of ['job.c', 'job.b', 'job.a']) metrics.count('cortex_scheduler_jobs_received_total', { topic });
    expect((await lines(metrics, 'cortex_scheduler_jobs_received_total{')).map((line) => line.split('"')[1])).toEqual([
      'other',
      'job.b',
      'job.a',
    ]);
  });

  it('escapes what users write', async () => {
    const metrics = createPromMetrics(quiet);
    metrics.count('cortex_scheduler_jobs_received_total', { topic: 'a"b\nc\\d' });
    expect(await lines(metrics, 'cortex_scheduler_jobs_received')).toEqual([
      'cortex_scheduler_jobs_received_total{topic="a\\"b\\nc\\\\d"} 1',
    ]);
  });

  it('a count is cheap: well below the ten microseconds that would show in the cost of a job', () => {
    const metrics = createPromMetrics(quiet);
    const labels = Array.from({ length: 20 }, (_, i) => ({ topic: `job.${i}`, status: 'JOB_STATUS_SUCCEEDED' }));
    const run = (n: number): void => {
      for (let i = 0; i < n; i++)
        metrics.count('cortex_scheduler_jobs_completed_total', labels[i % 20] ?? expect.unreachable());
    };
    run(20_000);
    const before = process.cpuUsage();
    run(50_000);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 50_000).toBeLessThan(10);
  });
});
