// The worker's environment: which workers, under which ids.
import { expect, test } from 'vitest';
import { EnvError } from '#core/process/env.ts';
import { isSubjectToken } from '#core/protocol/subjects.ts';
import { parseWorkerConfig, workerIds } from '../../../services/worker/config.ts';
import { workerNames } from '../../../services/worker/index.ts';

test('hosts every worker by default, under ids of its own', () => {
  const config = parseWorkerConfig({});
  expect(config.workers).toEqual(workerNames);
  expect(config.drainMs).toBe(20_000);
  const ids = workerIds(config, 'some.host.example', '0a1b2c3d-0000');
  expect(ids.get('echo')).toBe('worker-echo-example-0a1b2c3d');
  for (const id of ids.values()) expect(isSubjectToken(id)).toBe(true);
});

test('WORKERS chooses and WORKER_ID fixes: alone for one worker, with the name for several', () => {
  const one = parseWorkerConfig({ WORKERS: ' chat ', WORKER_ID: 'w1', WORKER_PARALLEL: '3' });
  expect([one.workers, one.parallel]).toEqual([['chat'], 3]);
  expect(Array.from(workerIds(one, 'h', 'r'))).toEqual([['chat', 'w1']]);
  const two = parseWorkerConfig({ WORKERS: 'chat,echo,echo', WORKER_ID: 'w1' });
  expect(Array.from(workerIds(two, 'h', 'r'))).toEqual([
    ['echo', 'w1-echo'],
    ['chat', 'w1-chat'],
  ]);
});

test('names every problem at once', () => {
  const parse = () => parseWorkerConfig({ WORKERS: 'echo,nobody', WORKER_ID: 'a..b', WORKER_PARALLEL: '0' });
  expect(parse).toThrow(EnvError);
  expect(parse).toThrow(/WORKERS: "echo,nobody" names "nobody"; there are echo, .*WORKER_ID: .*WORKER_PARALLEL: /);
  expect(() => parseWorkerConfig({ WORKER_PARALLEL: '0', NATS_URL: 'http://x' })).toThrow(/NATS_URL.*WORKER_PARALLEL/);
  expect(() => parseWorkerConfig({ OLLAMA_URL: 'http://:secret@x/?y' })).toThrow(
    /^(?!.*secret).*OLLAMA_URL: must hold no user or password.*OLLAMA_URL: must hold no query/s,
  );
  expect(() => parseWorkerConfig({ WORKERS: ',' })).toThrow('WORKERS: "," names no worker');
});
