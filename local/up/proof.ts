// The proof that a start worked: one real job from the gateway through safety, scheduler and worker back
// to its result. A job that waits or ends otherwise is told and no failed start: jobs wait, visibly, and go
// on when what they need is back. Only a gateway that does not answer is one.
import { setTimeout as delay } from 'node:timers/promises';
import { Stop } from '../bootstrap/stop.mjs';

export interface ProofOptions {
  readonly gateway: string;
  readonly topic: string;
  readonly apiKey: string | undefined;
  readonly signal: AbortSignal;
  /** In ms. */
  readonly patience: number;
}

export interface Proof {
  /** A job went through. */
  readonly succeeded: boolean;
  /** One sentence for the person who started it. */
  readonly sentence: string;
}

/** The workers whose jobs we know an input for, by their names in WORKERS. */
export const provable: ReadonlyMap<string, string> = new Map([
  ['echo', 'job.echo'],
  ['chat', 'job.chat.simple'],
]);

/** The topic to prove a start with; undefined when none of the hosted workers does one that we know. Undefined: all are hosted. */
export function proofTopic(workers: readonly string[] | undefined): string | undefined {
  return [...provable].find(([name]) => workers === undefined || workers.includes(name))?.[1];
}

/** Submits one job and looks what becomes of it. Throws Stop when the gateway does not answer. */
export async function proveWithOneJob(options: ProofOptions): Promise<Proof> {
  const { topic, patience, signal } = options;
  const begin = Date.now();
  const accepted = await request(options, 'POST', '/api/v1/jobs', { topic, prompt: 'hello from npm start' });
  if (typeof accepted === 'string') return unproven(`the gateway did not take a ${topic} job: ${accepted}`);
  const id = accepted['job_id'];
  if (typeof id !== 'string') throw new Stop(`the gateway named no job_id: ${JSON.stringify(accepted)}`);
  for (;;) {
    // Short looks: what it waits for is known long before the patience is over.
    const job = await request(options, 'GET', `/api/v1/jobs/${id}?wait=2`);
    const took = Date.now() - begin;
    if (typeof job === 'string') return unproven(`what became of ${topic} job ${id} is not known: ${job}`);
    const state = String(job['state']);
    if (state === 'SUCCEEDED') return { succeeded: true, sentence: `A first job went through in ${took} ms.` };
    const told = [job['error_message'], job['safety_reason']].filter((text) => typeof text === 'string');
    const why = told.find((text) => text !== '');
    const reason = why === undefined ? '' : `: ${why}`;
    if (['FAILED', 'DENIED', 'CANCELLED', 'TIMEOUT'].includes(state)) {
      return unproven(`${topic} job ${id} ended as ${state}${reason}`);
    }
    const waits = why !== undefined && ['PENDING', 'AWAITING_APPROVAL'].includes(state);
    if (waits || took > patience) return unproven(`${topic} job ${id} waits, and is ${state}${reason}`);
    await delay(50, undefined, { signal });
  }
}

function unproven(what: string): Proof {
  return { succeeded: false, sentence: `No job has gone through yet: ${what.replaceAll(/\s+/g, ' ')}` };
}

/** What the gateway answered: an object, or its refusal in words. */
async function request(
  { gateway, apiKey, signal }: ProofOptions,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Record<string, unknown> | string> {
  const { ok, status, text } = await answer(`${gateway}${path}`, {
    method,
    signal: AbortSignal.any([signal, AbortSignal.timeout(40_000)]),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const value = parsed(text);
  if (ok && value === undefined) throw new Stop(`${method} ${path} answered no object: ${text.slice(0, 300)}`);
  if (ok && value !== undefined) return value;
  const detail = value?.['detail'];
  return `it answered ${status}: ${typeof detail === 'string' ? detail : text.slice(0, 300)}`;
}

async function answer(url: string, init: RequestInit): Promise<{ ok: boolean; status: number; text: string }> {
  try {
    const response = await fetch(url, init);
    return { ok: response.ok, status: response.status, text: await response.text() };
  } catch (error) {
    if (error instanceof Stop || !(error instanceof Error)) throw error;
    const why = error.cause instanceof Error ? error.cause.message : error.message;
    throw new Stop(`the gateway does not answer at ${url}: ${why}`);
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
