// The `meta` of a submission: CAP's JobMetadata as JSON, in the protocol's own names. What it asks of a worker (`requires`,
// `labels`) is heeded by the scheduler; this file only reads it.
import { z } from 'zod';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { ActorType, type JobMetadataSchema } from '#proto/cortex/agent/v1/job_pb.ts';
import { fields, labels, line, words } from '../http/fields.ts';

const actorTypes = { human: ActorType.HUMAN, service: ActorType.SERVICE } as const;

export const metaBody = fields({
  actor_id: line(128),
  actor_type: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['', 'human', 'service'], 'must be human or service'))
    .default(''),
  idempotency_key: line(255),
  capability: line(128),
  risk_tags: words(50, 128),
  requires: words(50, 128),
  pack_id: line(128),
  labels: labels(50),
}).optional();

export type MetaBody = z.output<typeof metaBody>;

/** The message; undefined when there is nothing to say. */
export function jobMetadata(meta: MetaBody, tenantId: string): MessageInitShape<typeof JobMetadataSchema> | undefined {
  if (meta === undefined) return undefined;
  return {
    tenantId,
    actorId: meta.actor_id,
    actorType: meta.actor_type === '' ? ActorType.UNSPECIFIED : actorTypes[meta.actor_type],
    idempotencyKey: meta.idempotency_key,
    capability: meta.capability,
    riskTags: [...meta.risk_tags],
    requires: [...meta.requires],
    packId: meta.pack_id,
    labels: { ...meta.labels },
  };
}
