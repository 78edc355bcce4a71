// The safety kernel as a process of its own: every protocol and name it answers to, and its policy file while it changes.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRpcClient } from '#core/http/connect.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { systemClock } from '#core/system.ts';
import { DecisionType, SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import { checkInput, failure } from '../contract/checker.ts';
import { connectGrpc, type GrpcCall } from '../helpers/grpc.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';
import { until } from '../helpers/until.ts';

const entry = 'functions/safety/node.ts';
const names = ['cortex', 'coretex', 'cordum'] as const;
const base = { SAFETY_KERNEL_ADDR: '127.0.0.1:0' };

interface Answer {
  readonly status: number;
  readonly body: {
    readonly code?: string;
    readonly message?: string;
    readonly decision?: string;
    readonly [k: string]: unknown;
  };
}

async function post(url: string, method: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${url}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

describe('with the shipped policy', () => {
  let kernel: ServiceProcess;
  let url: string;
  let grpc: ReturnType<typeof connectGrpc>;
  beforeAll(async () => {
    kernel = await startService(entry, base, ['rpc', 'metrics']);
    url = kernel.urls['rpc'] as string;
    grpc = connectGrpc(url);
  });
  afterAll(async () => {
    grpc.close();
    expect(await kernel.stop()).toBe(0);
  });

  test.each(names)('Connect with JSON as %s', async (name) => {
    const ask = (topic: string) => post(url, `${name}.agent.v1.SafetyKernel/Check`, { tenant: 'default', topic });
    expect(await ask('job.chat.simple')).toEqual({
      status: 200,
      body: {
        decision: 'DECISION_TYPE_ALLOW',
        ruleId: 'tenants.default.allow_topics[0]',
        policySnapshot: expect.stringMatching(/^\d{13}:[A-Za-z0-9_-]{22}$/) as string,
      },
    });
    expect((await ask('sys.destroy')).body).toMatchObject({
      decision: 'DECISION_TYPE_DENY',
      reason: 'topic denied by policy',
      ruleId: 'tenants.default.deny_topics[0]',
    });
  });

  test('Connect with protobuf, one by one and in batches', async () => {
    const client = createRpcClient(SafetyKernel, { baseUrl: url });
    const one = await client.check({ tenant: 'default', topic: 'job.x' });
    expect(one.decision).toBe(DecisionType.ALLOW);
    const many = await client.checkMany({ checks: [{ tenant: 'default', topic: 'job.x' }, { topic: 'job.x' }] });
    expect(many.results.map((r) => [r.decision, r.reason])).toEqual([
      [DecisionType.ALLOW, ''],
      [DecisionType.DENY, 'missing tenant'],
    ]);
    expect(many.policySnapshot).toBe(one.policySnapshot);
  });

  test('a misspelt field is refused rather than judged as an empty batch', async () => {
    const ask = (method: string, body: unknown) => post(url, `cortex.agent.v1.SafetyKernel/${method}`, body);
    for (const [method, body, field] of [
      ['CheckMany', { requests: [{ topic: 'job.x' }] }, 'requests'],
      ['CheckMany', { checks: [{ topic: 'job.x', tennant: 'default' }] }, 'tennant'],
      ['Check', { topik: 'job.x' }, 'topik'],
    ] as const) {
      const { status, body: told } = await ask(method, body);
      expect([status, told.code]).toEqual([400, 'invalid_argument']);
      expect(told.message).toContain(`"${field}"`);
    }
  });

  test('what is no call is told as a problem', async () => {
    const path = `${url}/cortex.agent.v1.SafetyKernel/Check`;
    const read = await fetch(path);
    expect([read.status, read.headers.get('allow')]).toEqual([405, 'POST']);
    const text = await fetch(path, { method: 'POST', body: 'x' });
    expect(text.status).toBe(415);
    for (const answer of [read, text]) {
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(await answer.json()).toMatchObject({ status: answer.status, type: 'about:blank' });
    }
    expect(kernel.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test.each(names)('gRPC as %s', async (name) => {
    const check = grpc.method(`${name}/agent/v1/safety.proto`, `${name}.agent.v1.SafetyKernel`, 'Check');
    expect(await check({ tenant: 'default', topic: 'job.x' })).toMatchObject({
      code: 0,
      message: { decision: 'DECISION_TYPE_ALLOW', rule_id: 'tenants.default.allow_topics[0]' },
    });
    expect(await check({ tenant: '', topic: 'job.x' })).toMatchObject({
      code: 0,
      message: { decision: 'DECISION_TYPE_DENY', reason: 'missing tenant' },
    });
  });

  test('gRPC in batches, and a method that is not there', async () => {
    const file = 'cortex/agent/v1/safety.proto';
    const checkMany = grpc.method(file, 'cortex.agent.v1.SafetyKernel', 'CheckMany');
    const { message } = await checkMany({
      checks: [
        { tenant: 'a', topic: 'job.x' },
        { tenant: 'a', topic: 'x' },
      ],
    });
    expect(message?.['results']).toMatchObject([
      { decision: 'DECISION_TYPE_ALLOW' },
      { decision: 'DECISION_TYPE_DENY', reason: 'topic not allowed for tenant' },
    ]);
    const nothing = grpc.method(
      file,
      'cortex.agent.v1.SafetyKernel',
      'Check',
      '/cordum.agent.v1.SafetyKernel/Simulate',
    );
    expect((await nothing({})).code).toBe(12);
  });

  test('too many checks, garbage and unknown paths are told', async () => {
    const many = { checks: Array.from({ length: 1_025 }, () => ({})) };
    expect(await post(url, 'cortex.agent.v1.SafetyKernel/CheckMany', many)).toMatchObject({
      status: 400,
      body: { code: 'invalid_argument', message: 'checks: are 1025, at most 1024 are taken' },
    });
    expect((await post(url, 'cortex.agent.v1.SafetyKernel/Check', { topics: 'job.x' })).status).toBe(400);
    expect((await post(url, 'cortex.agent.v1.SafetyKernel/Check', { topic: 3 })).status).toBe(400);
    expect(await post(url, 'cortex.agent.v1.SafetyKernel/Nothing', {})).toMatchObject({ status: 404 });
    const health = await get(`${url}/health`);
    expect([health.status, JSON.parse(health.text)]).toEqual([
      200,
      { status: 'ok', policy: expect.any(String) as string },
    ]);
  });

  test('a stopped kernel is unavailable within the deadline, and back when it goes on', async () => {
    const checker = createRpcChecker({ baseUrl: url, clock: systemClock, timeoutMs: 300 });
    await checker.check([checkInput()]);
    await kernel.pause();
    try {
      expect(await failure(checker.check([checkInput()]))).toMatch(/^unavailable: the safety kernel does not answer/);
    } finally {
      kernel.resume();
    }
    const { verdicts } = await createRpcChecker({ baseUrl: url, clock: systemClock }).check([checkInput()]);
    expect(verdicts[0]?.decision).toBe('ALLOW');
  });
});

describe('with a policy file of its own', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cortex-safety-'));
  const path = join(dir, 'safety.yaml');
  const started: ServiceProcess[] = [];
  const closing: (() => void)[] = [];
  const start = async (env: Record<string, string> = {}): Promise<ServiceProcess> => {
    const kernel = await startService(entry, { ...base, SAFETY_POLICY_PATH: path, ...env }, ['rpc', 'metrics']);
    started.push(kernel);
    return kernel;
  };
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    for (const kernel of started.splice(0)) expect(await kernel.stop()).toBe(0);
    rmSync(path, { force: true });
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const write = (text: string): void => writeFileSync(path, text);
  const replace = (text: string): void => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const check = (kernel: ServiceProcess, headers = {}): Promise<Answer> => {
    const body = { tenant: 'default', topic: 'job.x' };
    return post(kernel.urls['rpc'] as string, 'cortex.agent.v1.SafetyKernel/Check', body, headers);
  };
  const seen = (kernel: ServiceProcess, matches: (answer: Answer) => boolean): Promise<Answer> => {
    let last: Answer | undefined;
    return until(
      async () => {
        last = await check(kernel);
        return matches(last) ? last : undefined;
      },
      { message: () => `another answer than ${JSON.stringify(last)}` },
    );
  };
  const versionOf = ({ body }: Answer): [number, string] => {
    const [sequence, hash] = String(body['policySnapshot']).split(':');
    return [Number(sequence), String(hash)];
  };

  test('it takes another policy up, refuses everything while it is broken or gone, and goes on when it is mended', async () => {
    write('tenants: {default: {allow_topics: ["job.x"]}}');
    const kernel = await start();
    const grpc = connectGrpc(kernel.urls['rpc'] as string);
    closing.push(grpc.close);
    const byGrpc: GrpcCall = grpc.method('cortex/agent/v1/safety.proto', 'cortex.agent.v1.SafetyKernel', 'Check');
    const first = versionOf(await seen(kernel, (a) => a.body.decision === 'DECISION_TYPE_ALLOW'));

    // In place and of the same length: size and inode alone would not show it.
    write('tenants: {default: {allow_topics: ["job.y"]}}');
    const second = versionOf(await seen(kernel, (a) => a.body.decision === 'DECISION_TYPE_DENY'));
    expect(second[0]).toBeGreaterThan(first[0]);
    expect(second[1]).not.toBe(first[1]);

    write('tenants: {default: {alow_topics: ["job.x"]}}');
    const broken = await seen(kernel, (a) => a.body.code !== undefined);
    expect(broken.status).toBe(400); // as Connect maps failed_precondition
    expect(broken.body).toMatchObject({
      code: 'failed_precondition',
      message:
        `the safety policy cannot be used: ${path}: tenants.default.alow_topics: is not a known field ` +
        '(allow_topics, deny_topics, allowed_repo_hosts, max_concurrent_jobs)',
    });
    expect(await byGrpc({ tenant: 'default', topic: 'job.x' })).toMatchObject({
      code: 9,
      details: expect.stringContaining('is not a known field') as string,
    });
    expect((await get(`${kernel.urls['rpc']}/health`)).status).toBe(503);
    const health = await get(`${kernel.urls['metrics']}/health`);
    expect([health.status, (JSON.parse(health.text) as { status: string }).status]).toEqual([200, 'degraded']);

    rmSync(path);
    const gone = await seen(kernel, (a) => a.body.message?.endsWith('there is no such file') === true);
    expect(gone.body.code).toBe('failed_precondition');

    replace('tenants: {default: {allow_topics: ["job.y"]}}');
    const mended = versionOf(await seen(kernel, (a) => a.body.decision !== undefined));
    expect(mended).toEqual(second); // the same text as before it broke is the same policy

    replace('tenants: {default: {allow_topics: ["job.x"]}}');
    const last = versionOf(await seen(kernel, (a) => a.body.decision === 'DECISION_TYPE_ALLOW'));
    expect(last[0]).toBeGreaterThan(second[0]);
    expect(last[1]).toBe(first[1]);

    const told = kernel.log.filter((line) => line.level === 'error').map((line) => line.msg);
    expect(told).toEqual(Array(2).fill('no job is judged until the policy is mended'));
  });

  test('without a policy it is up and says what is missing; a kernel that starts later has a higher version', async () => {
    const kernel = await start();
    expect((await check(kernel)).body).toMatchObject({
      code: 'failed_precondition',
      message: `the safety policy cannot be used: ${path}: there is no such file`,
    });
    replace('tenants: {default: {deny_topics: ["job.x"]}}');
    const before = versionOf(await seen(kernel, (a) => a.body.decision === 'DECISION_TYPE_DENY'));
    await kernel.kill();
    started.length = 0;
    replace('tenants: {default: {allow_topics: ["job.x"]}}');
    const after = versionOf(await check(await start()));
    expect(after[0]).toBeGreaterThan(before[0]);
    expect(after[1]).not.toBe(before[1]);
  });

  test('it counts what it judged, and names the limits that it does not keep', async () => {
    write('tenants: {default: {max_concurrent_jobs: 3, deny_topics: ["job.no"]}}');
    const kernel = await start();
    const checker = createRpcChecker({ baseUrl: kernel.urls['rpc'] as string, clock: systemClock });
    await checker.check([checkInput(), checkInput(), checkInput({ topic: 'job.no' })]);
    await checker.check([]);
    await check(kernel);
    const { text } = await get(`${kernel.urls['metrics']}/metrics`);
    expect(text).toContain('\ncortex_safety_checks_total{decision="ALLOW"} 3\n');
    expect(text).toContain('\ncortex_safety_checks_total{decision="DENY"} 1\n');
    expect(text).toContain('\ncortex_safety_check_seconds_count 2\n');
    expect(kernel.log).toContainEqual(
      expect.objectContaining({ level: 'warn', ignored: ['tenants.default.max_concurrent_jobs'] }),
    );
  });

  test('with a token it judges only for those who send it, over every protocol', async () => {
    write('tenants: {}');
    const token = 'a-token-of-some-length';
    const kernel = await start({ SAFETY_KERNEL_TOKEN: token });
    const url = kernel.urls['rpc'] as string;
    const grpc = connectGrpc(url);
    closing.push(grpc.close);
    const byGrpc = grpc.method('cordum/agent/v1/safety.proto', 'cordum.agent.v1.SafetyKernel', 'Check');
    const question = { tenant: 'default', topic: 'job.x' };

    for (const authorization of ['', token, 'Bearer another-token-entirely', `Bearer ${token}x`, 'Bearer ']) {
      expect(await check(kernel, { authorization })).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      expect((await byGrpc(question, { authorization })).code).toBe(16);
    }
    const authorization = `Bearer ${token}`;
    expect((await check(kernel, { authorization })).body.decision).toBe('DECISION_TYPE_ALLOW');
    expect((await byGrpc(question, { authorization })).message?.['decision']).toBe('DECISION_TYPE_ALLOW');

    const stranger = createRpcChecker({ baseUrl: url, clock: systemClock });
    expect(await failure(stranger.check([checkInput()]))).toBe(
      'failed_precondition: the safety kernel refuses our SAFETY_KERNEL_TOKEN',
    );
    const { verdicts } = await createRpcChecker({ baseUrl: url, clock: systemClock, token }).check([checkInput()]);
    expect(verdicts[0]?.decision).toBe('ALLOW');
    expect((await get(`${url}/health`)).status).toBe(200);
  });

  test('it warns when other machines may ask it without a token', async () => {
    write('tenants: {}');
    const warnings = (kernel: ServiceProcess) => kernel.log.filter((line) => line.level === 'warn');
    const open = await start({ SAFETY_KERNEL_ADDR: '0.0.0.0:0' });
    await until(() => warnings(open).length > 0, { message: 'a warning' });
    expect(warnings(open)).toMatchObject([{ variable: 'SAFETY_KERNEL_TOKEN' }]);
    const closed = await start({ SAFETY_KERNEL_ADDR: '0.0.0.0:0', SAFETY_KERNEL_TOKEN: 'a-token-of-some-length' });
    await until(() => closed.log.some((line) => line.msg === 'ready'), { message: 'the line that it is ready' });
    expect(warnings(closed)).toEqual([]);
  });

  test('every wrong variable is named, and nothing starts', async () => {
    await expect(
      startService(entry, { SAFETY_KERNEL_ADDR: 'nowhere', SAFETY_KERNEL_TOKEN: 'short' }, ['rpc']),
    ).rejects.toThrow(
      /SAFETY_KERNEL_ADDR: "nowhere" is not a host:port[^]*SAFETY_KERNEL_TOKEN: its value is not a text of 16 to 512/,
    );
  });
});
