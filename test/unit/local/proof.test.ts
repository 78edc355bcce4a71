// The job that proves a start, against a gateway that answers what the test says.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { proofTopic, provable, proveWithOneJob } from '../../../local/up/proof.ts';
import { chat } from '../../../services/worker/chat.ts';
import { workers } from '../../../services/worker/index.ts';

let server: Server | undefined;
afterEach(() => server?.close());

/** What it answers to the submission, then to each look at the job; the last one again and again. */
const prove = (...answers: readonly [number, unknown][]) => proveWithin(60_000, ...answers);

async function proveWithin(
  patience: number,
  ...answers: readonly [number, unknown][]
): Promise<{ sentence: string; asked: unknown[] }> {
  const asked: unknown[] = [];
  const left = [...answers];
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      if (text !== '') asked.push(JSON.parse(text));
      const [status, body] = (left.length > 1 ? left.shift() : left[0]) ?? [500, {}];
      response.writeHead(status).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const gateway = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const signal = new AbortController().signal;
  const proof = await proveWithOneJob({ gateway, topic: 'job.echo', apiKey: undefined, signal, patience });
  expect(proof.succeeded).toBe(proof.sentence.startsWith('A first job went through'));
  return { sentence: proof.sentence, asked };
}

const taken: [number, unknown] = [202, { job_id: 'j1' }];

describe('the topic of the proof', () => {
  it('is that of the first hosted worker with a known input', () => {
    expect(proofTopic(undefined)).toBe('job.echo');
    expect(proofTopic(['repo-scan', 'chat'])).toBe('job.chat.simple');
    expect(proofTopic(['chat', 'echo'])).toBe('job.echo');
    expect(proofTopic(['repo-scan'])).toBeUndefined();
  });

  it('is what the workers say', () => {
    const topics = [workers.echo().topic, chat(undefined).topic];
    expect([...provable.values()]).toEqual(topics);
  });
});

describe('the proof', () => {
  it('is a job that succeeded, however often it had to look', async () => {
    const { sentence, asked } = await prove(taken, [200, { state: 'RUNNING' }], [200, { state: 'SUCCEEDED' }]);
    expect(sentence).toMatch(/^A first job went through in \d+ ms\.$/);
    expect(asked).toEqual([expect.objectContaining({ topic: 'job.echo' })]);
  });

  it.each([
    [{ state: 'DENIED', safety_reason: 'not allowed' }, 'job.echo job j1 ended as DENIED: not allowed'],
    [{ state: 'FAILED', error_message: 'no pool' }, 'job.echo job j1 ended as FAILED: no pool'],
    [{ state: 'CANCELLED', error_message: 'by x' }, 'job.echo job j1 ended as CANCELLED: by x'],
    [{ state: 'TIMEOUT', error_message: 'late' }, 'job.echo job j1 ended as TIMEOUT: late'],
    [{ state: 'PENDING', safety_reason: 'no\npolicy' }, 'job.echo job j1 waits, and is PENDING: no policy'],
    [{ state: 'AWAITING_APPROVAL', safety_reason: 'a' }, 'job.echo job j1 waits, and is AWAITING_APPROVAL: a'],
  ])('is not one that %j', async (job, told) => {
    expect((await prove(taken, [200, job])).sentence).toBe(`No job has gone through yet: ${told}`);
  });

  it('is not one that waits for a worker until the patience is over', async () => {
    const { sentence } = await proveWithin(100, taken, [200, { state: 'SCHEDULED', safety_reason: '' }]);
    expect(sentence).toBe('No job has gone through yet: job.echo job j1 waits, and is SCHEDULED');
  });

  it('is not one that the gateway refuses', async () => {
    const { sentence } = await prove([401, { detail: 'this key is unknown' }]);
    expect(sentence).toContain('did not take a job.echo job: it answered 401: this key is unknown');
  });

  it('fails in one line without a gateway', async () => {
    const signal = new AbortController().signal;
    const options = { topic: 'job.echo', apiKey: undefined, signal, patience: 100 };
    await expect(proveWithOneJob({ ...options, gateway: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      name: 'Stop',
      message: expect.stringMatching(/^the gateway does not answer at http:\/\/127\.0\.0\.1:1\//) as unknown,
    });
  });
});
