// npm start -- --edge, as somebody types it who has just cloned this: the functions in workerd, everything else as ever.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRun } from '../../local/bootstrap/checkout.mjs';
import { createNewcomer, type Newcomer, type Running } from '../helpers/newcomer.ts';
import { until } from '../helpers/until.ts';

let newcomer: Newcomer;
let running: Running;
let gateway = '';
beforeAll(async () => {
  newcomer = createNewcomer();
  const up = await newcomer.up('npm start -- --edge');
  running = up.running;
  gateway = up.run.urls['gateway'] ?? '';
}, 60_000);
afterAll(() => newcomer.leave());

test('says where everything is, and has run a job', () => {
  expect(running.output()).toMatch(/CortexOS is ready \(\d+\.\d s\)\. A first job went through in \d+ ms\./);
  expect(running.output()).toMatch(/gateway +http:\/\/\S+ +\(in workerd; Connect and gRPC-Web as well\)/);
  expect(running.output()).toMatch(/Redis .*\(REST: http:\/\/127\.0\.0\.1:\d+\)/);
  // The token of the REST front opens all data: it is nowhere to be seen.
  expect(running.output()).not.toMatch(/token/i);
});

test('tells its health: Redis, NATS, and the policy that was pushed', async () => {
  const health = (await (await fetch(`${gateway}/health`)).json()) as Record<string, unknown>;
  expect(health).toMatchObject({ status: 'ok', redis: { ok: true }, nats: { ok: true }, safety: { ok: true } });
  const { policy } = health['safety'] as { readonly policy: string };
  const shown = await newcomer.type('npm run -s cortex -- config show');
  expect(shown.stdout).toContain(policy.split(':')[1]);
});

test('submits, watches and lists by the CLI', async () => {
  const submitted = await newcomer.type('npm run -s cortex -- submit hello --wait');
  expect(submitted).toMatchObject({ code: 0, stdout: expect.stringContaining('Echo: hello') as string });
  const listed = await newcomer.type('npm run -s cortex -- list --json');
  const [job] = (JSON.parse(listed.stdout) as { readonly items: readonly { readonly id: string }[] }).items;
  const watched = await newcomer.type(`npm run -s cortex -- watch ${job?.id}`);
  expect(watched).toMatchObject({ code: 0, stdout: expect.stringContaining('SUCCEEDED') as string });
});

test('a policy that is pushed while it runs is in force within seconds', async () => {
  const policy = 'tenants: {default: {allow_topics: ["job.*"], deny_topics: ["job.echo"]}}';
  await newcomer.type(`printf '%s\\n' '${policy}' > other.yaml`);
  expect((await newcomer.type('npm run -s cortex -- config push --only policy --policy other.yaml')).code).toBe(0);
  await until(
    async () => (await newcomer.type('npm run -s cortex -- submit --topic job.echo x --wait=10')).code === 6,
    { message: 'a job to be DENIED', timeout: 15_000 },
  );
}, 30_000);

test.each(['gateway', 'safety'])(
  'a %s whose process is killed comes back where it was, and as it was',
  async (name) => {
    const pid = (): number => readRun(newcomer.root)?.children.find((child) => child.name === name)?.pid ?? 0;
    const before = pid();
    process.kill(before, 'SIGKILL');
    await until(() => running.output().includes(`${name} runs again`) && pid() !== before, {
      message: () => `the ${name} to run again: ${running.output()}`,
      timeout: 20_000,
    });
    expect(await (await fetch(`${gateway}/health`)).json()).toMatchObject({ status: 'ok', safety: { ok: true } });
    // The policy that was pushed above, and not the one of the file.
    expect((await newcomer.type('npm run -s cortex -- submit --topic job.echo x --wait=10')).code).toBe(6);
  },
  30_000,
);

test('Ctrl-C ends all of it, with 0', async () => {
  running.interrupt();
  expect((await running.ended).code).toBe(0);
});
