// The gateway in workerd, for `npm start -- --edge`.
import { isLoopback } from '#core/process/address.ts';
import { gatewayEnv, gatewayMetricsPort } from '../../functions/gateway/config.ts';
import { gatewayEdgeEnv } from '../../functions/gateway/edge-config.ts';
import { runFunction, urlOf } from './function-process.ts';

await runFunction({
  name: 'gateway',
  metricsPort: gatewayMetricsPort,
  addr: gatewayEnv.httpAddr,
  port: 'http',
  env: gatewayEdgeEnv,
  more: ({ addr, kernelAddr }) => ({
    SAFETY_KERNEL_URL: urlOf(kernelAddr),
    EDGE_LOOPBACK: String(isLoopback(addr)),
  }),
  reads: 'keys',
});
