// The proof that a start worked: one real job from the gateway through safety, scheduler and worker back
// to its result. Nothing is ready before it has succeeded.
import { setTimeout as delay } from 'node:timers/promises';
import { Stop } from '../bootstrap/stop.mjs';

export interface ProofOptions {
  readonly gateway: string;
  readonly apiKey: string | undefined;
  readonly signal: AbortSignal;
  /** In ms. */
  readonly patience: number;
}

/** Submits a job.echo and waits for SUCCEEDED; returns how long it took in ms, throws Stop otherwise. */
export async function proveWithOneJob(options: ProofOptions): Promise<{ jobId: string; took: number }> {
  const begin = Date.now();
  const deadline = begin + options.patience;
  const accepted = await request(options, 'POST', '/api/v1/jobs', {
    topic: 'job.echo',
    prompt: 'hello from npm start',
  });
  const jobId = accepted['job_id'];
  if (typeof jobId !== 'string') throw new Stop(`the gateway named no job_id: ${JSON.stringify(accepted)}`);
  let state = 'unknown';
  while (Date.now() < deadline) {
    const wait = Math.max(1, Math.min(30, Math.ceil((deadline - Date.now()) / 1_000)));
    const job = await request(options, 'GET', `/api/v1/jobs/${jobId}?wait=${wait}`);
    state = String(job['state']);
    if (state === 'SUCCEEDED') return { jobId, took: Date.now() - begin };
    if (['FAILED', 'DENIED', 'CANCELLED', 'TIMEOUT'].includes(state)) {
      throw new Stop(`the first job ended as ${state}: ${JSON.stringify(job)}`);
    }
    await delay(50, undefined, { signal: options.signal });
  }
  throw new Stop(`the first job (${jobId}) is still ${state} after ${options.patience / 1_000} s`);
}

async function request(
  { gateway, apiKey, signal }: ProofOptions,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${gateway}${path}`, {
    method,
    signal: AbortSignal.any([signal, AbortSignal.timeout(40_000)]),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Stop(`${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`);
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null)
    throw new Stop(`${method} ${path} answered no object: ${text.slice(0, 300)}`);
  return value as Record<string, unknown>;
}
