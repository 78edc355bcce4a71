// The gateway in workerd, for `npm start -- --edge`.
import { address } from '#core/process/variables.ts';
import { isLoopback, parseAddress } from '#core/process/address.ts';
import { gatewayMetricsPort } from '../../functions/gateway/config.ts';
import { gatewayEdgeEnv } from '../../functions/gateway/edge-config.ts';
import { runFunction } from './function-process.ts';

const listens = address('GATEWAY_HTTP_ADDR', '127.0.0.1:8081', 'where REST and Connect answer');

await runFunction({
  name: 'gateway',
  metricsPort: gatewayMetricsPort,
  addr: listens,
  port: 'http',
  env: gatewayEdgeEnv,
  more(env) {
    const addr = parseAddress(env['GATEWAY_HTTP_ADDR'] ?? '127.0.0.1:8081');
    return {
      SAFETY_KERNEL_URL: `http://${env['SAFETY_KERNEL_ADDR'] ?? 'localhost:50051'}`,
      EDGE_LOOPBACK: String(addr !== undefined && isLoopback(addr)),
    };
  },
  reads: 'keys',
});
