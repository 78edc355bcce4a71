// The safety kernel as it is deployed to the edge: the bundle in workerd, its policy from Redis over REST.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pushConfig, storedKey } from '#core/config/stored.ts';
import { createRpcClient } from '#core/http/connect.ts';
import { digestOf } from '#core/jobs/submission.ts';
import { createRpcChecker } from '#core/policy/rpc-checker.ts';
import { script } from '#core/redis/redis.ts';
import { systemClock } from '#core/system.ts';
import { DecisionType, SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';
import { checkInput, failure, testChecker } from '../contract/checker.ts';
import { until } from '../helpers/until.ts';
import { startFunction } from './runtime.ts';
import { type EdgeStage, startEdgeStage } from './stage.ts';

const names = ['cortex', 'coretex', 'cordum'] as const;
const del = script('del', `return redis.call('DEL',KEYS[1])`);

let stage: EdgeStage;
beforeAll(async () => {
  stage = await startEdgeStage();
});
afterAll(() => stage.stop());

/** Puts a policy in force, or takes it away, and waits until the kernel says so. */
async function setPolicy(url: string, text: string | undefined): Promise<void> {
  if (text === undefined) await stage.db.run(del, [storedKey('policy')], []);
  else await pushConfig(stage.db, 'policy', text);
  await until(
    async () => {
      const said = await (await fetch(`${url}/health`)).text();
      return said.includes(text === undefined ? 'nothing was pushed' : digestOf(text));
    },
    { message: 'the policy to be in force' },
  );
}

testChecker('a kernel in workerd', async () => {
  const workerd = await startFunction('safety', stage.env);
  let away = false;
  return {
    checker: createRpcChecker({
      baseUrl: workerd.url,
      clock: systemClock,
      fetch: (input, init) => (away ? Promise.reject(new TypeError('nobody is there')) : fetch(input, init)),
    }),
    setPolicy: (text) => setPolicy(workerd.url, text),
    down: async () => {
      away = true;
    },
    up: async () => {
      away = false;
    },
    close: () => workerd.stop(),
  };
});

describe('the kernel in workerd', () => {
  test.each(names)('judges by Connect with JSON and with protobuf as %s', async (name) => {
    const workerd = await startFunction('safety', stage.env);
    await setPolicy(workerd.url, 'tenants: {default: {allow_topics: ["job.*"]}}');
    const answer = await fetch(`${workerd.url}/${name}.agent.v1.SafetyKernel/Check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ tenant: 'default', topic: 'job.x' }),
    });
    expect(await answer.json()).toMatchObject({ decision: 'DECISION_TYPE_ALLOW' });
    if (name === 'cortex') {
      const client = createRpcClient(SafetyKernel, { baseUrl: workerd.url });
      expect((await client.check({ tenant: 'default', topic: 'job.x' })).decision).toBe(DecisionType.ALLOW);
    }
    await workerd.stop();
  });

  test('asks for its token', async () => {
    const token = 'a-token-of-twenty-chars';
    const workerd = await startFunction('safety', { ...stage.env, SAFETY_KERNEL_TOKEN: token });
    await setPolicy(workerd.url, 'tenants: {default: {allow_topics: ["job.*"]}}');
    const checker = (given?: string) =>
      createRpcChecker({ baseUrl: workerd.url, clock: systemClock, ...(given && { token: given }) });
    expect(await failure(checker().check([checkInput()]))).toContain('refuses our SAFETY_KERNEL_TOKEN');
    expect((await checker(token).check([checkInput()])).verdicts).toMatchObject([{ decision: 'ALLOW' }]);
    await workerd.stop();
  });

  test('judges nothing while its Redis is away, and again when that is back', async () => {
    const own = await startEdgeStage();
    await pushConfig(own.db, 'policy', 'tenants: {default: {allow_topics: ["job.*"]}}');
    const workerd = await startFunction('safety', own.env);
    const checker = createRpcChecker({ baseUrl: workerd.url, clock: systemClock });
    const judge = () =>
      checker.check([checkInput()]).then(
        ({ verdicts }) => verdicts[0]?.decision,
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await judge()).toBe('ALLOW');
    await own.redis.kill();
    await until(async () => (await judge()) === 'unavailable', { message: 'that nothing is judged' });
    await own.redis.restart();
    await pushConfig(own.db, 'policy', 'tenants: {default: {allow_topics: ["job.*"]}}');
    await until(async () => (await judge()) === 'ALLOW', { message: 'verdicts again' });
    await workerd.stop();
    await own.stop();
  });
});
