// The safety kernel as a Node process: policy from a file, HTTP/1.1, HTTP/2 and gRPC on one port, with or without TLS.
import { createGrpcListener } from '#core/http/grpc.node.ts';
import { createReflection } from '#core/http/reflection.ts';
import { createPromMetrics } from '#core/metrics/prom.node.ts';
import { formatPolicy } from '#core/jobs/job.ts';
import { createFilePolicySource } from '#core/policy/file-source.node.ts';
import { isLoopback } from '#core/process/address.ts';
import { announceListening } from '#core/process/announce.node.ts';
import { serveDual } from '#core/process/http.node.ts';
import { runProcess } from '#core/process/run.node.ts';
import { tlsOf } from '#core/process/tls.node.ts';
import { unwrap } from '#core/result.ts';
import { createSafety } from './app.ts';
import { parseSafetyConfig, safetyMetricsPort } from './config.ts';

await runProcess({
  name: 'cortex-safety-kernel',
  metricsPort: safetyMetricsPort,
  config: parseSafetyConfig,
  metrics: createPromMetrics({ owns: ['cortex_safety_'] }),
  async start({ config, log, clock, metrics, health, resources }) {
    const { addr, token, policyPath, tlsCert, tlsKey } = config;
    const source = createFilePolicySource({ path: policyPath, clock, log });
    // A kernel without a usable policy is up and says so; its callers wait.
    const policy = async () => ({ policy: formatPolicy(unwrap(await source.current()).version) });
    health.check('policy', policy, { required: false });

    await source.current(); // looked at now, so that the log tells at the start what is in force or what is wrong

    const { app, routes, options } = createSafety({ source, metrics, clock, log, token });
    const reflection = createReflection();
    const grpc = createGrpcListener(reflection.beside(routes), options);
    const tls = tlsOf(
      { variable: 'SAFETY_KERNEL_TLS_CERT', path: tlsCert },
      { variable: 'SAFETY_KERNEL_TLS_KEY', path: tlsKey },
    );
    const server = await resources.use(
      'safety kernel',
      () => serveDual({ fetch: app.fetch, grpc, tls, addr, log, variable: 'SAFETY_KERNEL_ADDR' }),
      (running) => running.close(4_000),
    );
    if (token === undefined && !isLoopback(addr)) {
      log.warn('other machines may ask this kernel without a token', { variable: 'SAFETY_KERNEL_TOKEN', ...addr });
    }
    announceListening('rpc', server.url);
    return { drain: async () => reflection.stop() };
  },
});
