// The safety kernel in workerd, for `npm start -- --edge`.
import { kernelEnv } from '#core/policy/kernel-env.ts';
import { safetyMetricsPort } from '../../functions/safety/config.ts';
import { safetyEdgeEnv } from '../../functions/safety/edge-config.ts';
import { runFunction } from './function-process.ts';

await runFunction({
  name: 'safety',
  metricsPort: safetyMetricsPort,
  addr: kernelEnv.addr,
  port: 'rpc',
  env: safetyEdgeEnv,
  reads: 'policy',
});
