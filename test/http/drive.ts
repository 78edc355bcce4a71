// Moves a job on as scheduler and worker would, straight in the store, for tests about what the gateway shows of it.
import type { HandOut, JobStore } from '#core/jobs/store.ts';
import type { EndState } from '#core/jobs/state.ts';
import { fromBase64 } from '#core/base64.ts';
import { requestDigest } from '#core/jobs/submission.ts';
import { decodePacket } from '#core/protocol/envelope.ts';
import { unwrap } from '#core/result.ts';
import type { JobRequest } from '#proto/cortex/agent/v1/job_pb.ts';
import type { GatewayUnderTest } from './under-test.ts';

export const policy = { sequence: 1, hash: 'test' };

/** The process of every worker here. */
const instance = 'i1';

/** The packet that is kept for a job, and its request. */
export async function storedPacket(gateway: GatewayUnderTest, id: string) {
  const text = await gateway.redis.get(`job:req:${id}`);
  if (text === null) throw new Error(`no packet is kept for ${id}`);
  const packet = unwrap(decodePacket(fromBase64(text)));
  if (packet.payload.case !== 'jobRequest') throw new Error(`the packet of ${id} is a ${packet.payload.case}`);
  const request: JobRequest = packet.payload.value;
  return { packet, request };
}

/** The payload that is kept for a job. */
export async function storedPayload(gateway: GatewayUnderTest, id: string): Promise<Record<string, unknown>> {
  const text = await gateway.redis.get(`ctx:${id}`);
  if (text === null) throw new Error(`no payload is kept for ${id}`);
  return JSON.parse(text) as Record<string, unknown>;
}

/** Allowed, with a reason and a rule. */
export async function allow(gateway: GatewayUnderTest, id: string, tenant: string): Promise<void> {
  const { request } = await storedPacket(gateway, id);
  const [gated] = await gateway.store.gate([
    {
      id,
      tenant,
      digest: requestDigest(request, tenant),
      to: 'SCHEDULED',
      decision: 'ALLOW',
      reason: 'fine by the test',
      rule: 'rule-1',
      policy,
      constraints: '',
      // A pool of its own, so that a claim gets this job and no other.
      pool: `pool-${id}`,
      lane: request.topic,
      timeoutMs: 60_000,
      maxRetries: 0,
      holdMs: 0,
      errorCode: '',
      errorMessage: '',
    },
  ]);
  if (gated?.outcome !== 'applied') throw new Error(`gate: ${gated?.outcome}`);
}

/** Handed to a worker of that name. */
export async function dispatch(gateway: GatewayUnderTest, id: string, topic: string, worker = 'w1'): Promise<HandOut> {
  const pool = `pool-${id}`;
  await gateway.store.register({ worker, instance, pool, capacity: 1000, aliveMs: 60_000 });
  const [claimed] = await gateway.store.claim([
    { ...{ pool, worker, instance, policy }, n: 1, capacity: 1000, lanes: [topic], acceptMs: 10_000 },
  ]);
  const [job] = claimed?.jobs ?? [];
  if (job?.id !== id) throw new Error(`claim: ${claimed?.outcome}, ${claimed?.jobs.length} jobs`);
  return job;
}

export async function accept(store: JobStore, job: HandOut, worker = 'w1'): Promise<void> {
  const { id, tenant, fence, attempt } = job;
  const [accepted] = await store.accept([{ id, tenant, fence, attempt, worker, instance, leaseMs: 60_000 }]);
  if (accepted?.outcome !== 'run') throw new Error('accept: stale');
}

/** Allowed, handed out, accepted: RUNNING. */
export async function start(
  gateway: GatewayUnderTest,
  id: string,
  tenant = 'default',
  worker = 'w1',
): Promise<HandOut> {
  const { request } = await storedPacket(gateway, id);
  await allow(gateway, id, tenant);
  const job = await dispatch(gateway, id, request.topic, worker);
  await accept(gateway.store, job, worker);
  return job;
}

/** Ends what `start` started. */
export async function finish(
  gateway: GatewayUnderTest,
  { id, tenant, fence, attempt }: HandOut,
  end: { readonly status?: EndState; readonly result?: string; readonly code?: string; readonly message?: string } = {},
): Promise<void> {
  const [committed] = await gateway.store.commit([
    {
      ...{ id, tenant, fence, attempt, worker: 'w1' },
      status: end.status ?? 'SUCCEEDED',
      retryable: false,
      backoffMs: 0,
      result: end.result,
      execMs: 12,
      errorCode: end.code ?? '',
      errorMessage: end.message ?? '',
    },
  ]);
  if (committed?.outcome !== 'committed') throw new Error(`commit: ${committed?.outcome}`);
}

/** Submits and answers the ids. */
export async function submitted(
  gateway: GatewayUnderTest,
  body: unknown = { prompt: 'hi' },
  headers: Record<string, string> = {},
): Promise<{ job_id: string; trace_id: string }> {
  const response = await gateway.request('/api/v1/jobs', { method: 'POST', body: JSON.stringify(body), headers });
  if (response.status !== 202) throw new Error(`submit: ${response.status} ${await response.text()}`);
  return (await response.json()) as { job_id: string; trace_id: string };
}

/** The answer's body as JSON. */
export async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}
