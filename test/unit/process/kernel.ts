// A safety kernel for tests of the transport: answers are told apart by topic.
import { create } from '@bufbuild/protobuf';
import { Hono } from 'hono';
import { CortexError, invalid } from '#core/errors.ts';
import { mountConnect, type Routes } from '#core/http/connect.ts';
import { problemResponse } from '#core/http/errors.ts';
import { createGrpcListener } from '#core/http/grpc.node.ts';
import { DecisionType, PolicyCheckResponseSchema, SafetyKernel } from '#proto/cortex/agent/v1/safety_pb.ts';

export interface Kernel {
  readonly app: Hono;
  readonly grpc: ReturnType<typeof createGrpcListener>;
  /** Resolves when a check of topic `job.slow` has come. */
  readonly came: Promise<void>;
  /** Lets it finish. */
  readonly answer: () => void;
  /** What the handlers threw, as the log would see it. */
  readonly errors: unknown[];
}

export function testKernel(): Kernel {
  const came = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  const routes: Routes = (router) =>
    router.service(SafetyKernel, {
      async check(request) {
        if (request.topic === 'job.slow') {
          came.resolve();
          await answer.promise;
        }
        if (request.topic === '') throw invalid('topic', 'is empty');
        if (request.topic === 'job.broken') throw new Error('secret of 10.0.0.3');
        if (request.topic === 'job.away')
          throw new CortexError('unavailable', 'no policy', { cause: new Error('secret') });
        return create(PolicyCheckResponseSchema, { decision: DecisionType.ALLOW, reason: request.topic });
      },
      checkMany: (request) => ({
        results: request.checks.map((check) => ({ reason: check.topic })),
        policySnapshot: '1',
      }),
    });
  const onError = (error: unknown): void => void errors.push(error);
  const app = new Hono();
  app.get('/health', (c) => c.text('ok'));
  app.all('/hold', async (c) => {
    await answer.promise;
    return c.text('held');
  });
  app.post('/echo', async (c) => c.text(String((await c.req.arrayBuffer()).byteLength)));
  app.onError((error) => problemResponse(error));
  mountConnect(app, routes, { onError });
  return {
    app,
    grpc: createGrpcListener(routes, { onError }),
    came: came.promise,
    answer: () => answer.resolve(),
    errors,
  };
}
