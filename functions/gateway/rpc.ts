// cortex.v1.CortexApi, the original's RPC door, through the same use cases as REST: with a key, a tenant and the gate, none of which
// the original's had. Connect, gRPC-Web and gRPC all end here.
import { z } from 'zod';
import type { Routes } from '#core/http/connect.ts';
import { isJobId } from '#core/jobs/job.ts';
import { maxPromptLength } from '#core/protocol/payloads.ts';
import { priorityFromName } from '#core/protocol/status.ts';
import { CortexApi } from '#proto/cortex/v1/gateway_pb.ts';
import { line, parseFields, prose } from '../http/fields.ts';
import { actingPrincipal } from '../http/roles.ts';
import type { GatewayDeps } from './deps.ts';
import { idempotencyHeader, idempotencyKey } from './idempotency.ts';
import { principalField, topicField } from './job-body.ts';
import { admitted } from './rpc-gate.ts';
import type { JobFields, SubmitJobs } from './submit-job.ts';

export interface RpcDeps extends Pick<GatewayDeps, 'store'> {
  readonly submitJob: SubmitJobs;
}

/** No default topic here, as in the original; but an empty one is refused rather than accepted and lost. */
const submitRequest = z.object({
  prompt: prose(maxPromptLength),
  topic: topicField(''),
  adapterId: line(256),
  priority: line(64),
  orgId: line(128),
  teamId: line(128),
  projectId: line(128),
  principalId: principalField,
});

/** The methods. A server that mounts them must have `cortexGate` before them: without it they let nobody in. */
export function cortexApi({ store, submitJob }: RpcDeps): Routes {
  return (router) =>
    router.service(CortexApi, {
      async submitJob(message, context) {
        const identity = admitted(context);
        const request = parseFields(submitRequest, message);
        const { tenant } = identity;
        const { jobId, traceId } = await submitJob({
          tenant,
          principal: actingPrincipal(identity, request.principalId),
          sender: 'api-gateway',
          idempotencyKey: idempotencyKey(context.requestHeader.get(idempotencyHeader) ?? undefined),
          fingerprint: () => JSON.stringify(request),
          build: (id, createdAt) => jobFromRpc(request, tenant, id, createdAt),
        });
        return { jobId, traceId };
      },
      async getJobStatus({ jobId }, context) {
        const { tenant } = admitted(context);
        const job = isJobId(jobId) ? await store.view(jobId, tenant) : undefined;
        if (job === undefined) return { jobId, status: 'UNKNOWN', resultPtr: '' };
        return { jobId, status: job.state, resultPtr: job.resultPtr };
      },
    });
}

type RpcBody = z.output<typeof submitRequest>;

/** Memory and mode follow from the topic, as in the original. */
function jobFromRpc(body: RpcBody, tenant: string, jobId: string, createdAt: string) {
  const [memory, mode] = body.topic.startsWith('job.chat')
    ? ['session', 'chat']
    : /^job\.(code|workflow\.repo)/.test(body.topic)
      ? ['repo', 'rag']
      : ['mem', 'raw'];
  const memoryId = `${memory}:${jobId}`;
  const names = { org_id: body.orgId, team_id: body.teamId, project_id: body.projectId };
  const request: JobFields = {
    topic: body.topic,
    priority: priorityFromName(body.priority),
    adapterId: body.adapterId,
    env: {
      tenant_id: tenant,
      memory_id: memoryId,
      context_mode: mode,
      max_input_tokens: '8000',
      max_output_tokens: '1024',
      ...Object.fromEntries(Object.entries(names).filter(([, value]) => value !== '')),
    },
    memoryId,
  };
  const payload = {
    prompt: body.prompt,
    adapter_id: body.adapterId,
    priority: body.priority,
    topic: body.topic,
    created_at: createdAt,
    tenant_id: tenant,
  };
  return { request, payload };
}
