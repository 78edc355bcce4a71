// `npm run smoke` against the whole system, twice: without any model, and with the scripted server that speaks a provider's wire format.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSystem, type System } from '../helpers/e2e/system.ts';
import { type ModelServer, startModelServer } from '../helpers/model-server.ts';
import { type ServiceProcess, startService } from '../helpers/service-process.ts';

let system: System;
let server: ModelServer;
const folder = mkdtempSync(join(tmpdir(), 'cortex-smoke-test-'));
const started: ServiceProcess[] = [];

beforeAll(async () => {
  [system, server] = await Promise.all([startSystem({ config: '../../../config' }), startModelServer()]);
  await host('services/orchestrator/node.ts', {});
}, 60_000);
afterAll(async () => {
  for (const one of started) await one.stop();
  await system.stop();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function host(entry: string, env: Record<string, string>): Promise<ServiceProcess> {
  const servers = { NATS_URL: system.nats.url, REDIS_URL: system.redis.url };
  const process = await startService(entry, { ...servers, ...env }, ['metrics']);
  started.push(process);
  return process;
}

function smoke(): Promise<{ code: number; lines: readonly string[] }> {
  const env = { ...process.env, CORTEX_URL: system.gateway.process.urls['http'] ?? '' };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['local/smoke.ts'],
      { env, timeout: 100_000 },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? 1, lines: `${stdout}${stderr}`.trimEnd().split('\n') });
      },
    );
  });
}

const words = (lines: readonly string[]): unknown =>
  lines.map((line) => /^(ok|no model|FAILED|smoke:) *(\S*)/.exec(line)?.slice(1).join(' ') ?? line);

test('without a model, each kind that needs one says so in one line', { timeout: 120_000 }, async () => {
  const worker = await host('services/worker/node.ts', {});
  const { code, lines } = await smoke();
  expect(words(lines)).toEqual([
    'ok echo',
    'ok chat.simple',
    'no model chat.advanced',
    'no model code.llm',
    'ok workflow.plan',
    'no model workflow.demo',
    'ok repo',
    'smoke: 4',
  ]);
  expect(lines.at(-1)).toBe('smoke: 4 ok, 3 without a model, 0 failed');
  expect(code).toBe(0);
  for (const line of lines.filter((one) => one.startsWith('no model'))) expect(line).toMatch(/set OLLAMA_MODEL/);
  await worker.stop();
  started.splice(started.indexOf(worker), 1);
});

test('with a model all of them work', { timeout: 120_000 }, async () => {
  const path = join(folder, 'models.yaml');
  const scripted = {
    provider: 'openai-compatible',
    model: 'some-model',
    base_url: `${server.url}/v1`,
    context: 32_000,
  };
  writeFileSync(path, JSON.stringify({ default: 'scripted', models: { scripted } }));
  await host('services/worker/node.ts', { MODELS_PATH: path });
  const says = (text: string) => ({ kind: 'whole', pieces: ['[scripted] ', text] }) as const;
  const fixed = {
    kind: 'whole',
    pieces: ['```\nexport const sum = (a: number, b: number): number => a + b;\n```'],
  } as const;
  const order = {
    kind: 'whole',
    pieces: ['{"files":[{"path":"src/auth/token.ts","reason":"[scripted] a secret"}]}'],
  } as const;
  // In the order in which they are asked for: two chats, a patch, a plan, and the demo's patch and explanation.
  server.play(says('Good day!'), says('Good day!'), fixed, order, fixed, says('it adds now'));
  const { code, lines } = await smoke();
  expect(lines.at(-1)).toBe('smoke: 7 ok, 0 without a model, 0 failed');
  expect(code).toBe(0);
  expect(lines.find((line) => line.includes('workflow.plan'))).toContain('by model');
});

test('where nobody is, it stops at the first', { timeout: 30_000 }, async () => {
  const env = { ...process.env, CORTEX_URL: 'http://127.0.0.1:1' };
  const lines = await new Promise<string[]>((resolve) => {
    execFile(process.execPath, ['local/smoke.ts'], { env }, (_error, stdout) => resolve(stdout.trimEnd().split('\n')));
  });
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^FAILED +echo .*127\.0\.0\.1:1/);
});
