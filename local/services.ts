// The one list of the processes that `npm start` runs, in the order in which they start. Data only:
// local/up/ starts them, ends them in reverse order and keeps them alive.
//
// What every process may count on in its environment, and what it owes in return:
//
//   NATS_URL REDIS_URL       the servers
//   METRICS_ADDR             host:port of its own health and metrics. GET /health answers JSON
//                            {"status": "ok" | "starting" | "degraded", ...}, 200 once it is ready and
//                            503 before; GET /metrics is Prometheus text
//   GATEWAY_HTTP_ADDR        gateway: REST and Connect
//   GATEWAY_RPC_ADDR         gateway: gRPC and Connect on one port
//   SAFETY_KERNEL_ADDR       the kernel listens on it, everybody else dials it
//   CONTEXT_ENGINE_ADDR      the context engine listens on it, workers dial it
//   REDIS_REST_ADDR REDIS_REST_TOKEN   with --edge: Redis by REST, and its token
//   NATS_WS_URL                        with --edge: the bus over WebSocket
//   SAFETY_POLICY_PATH POOL_CONFIG_PATH TIMEOUT_CONFIG_PATH
//   MODELS_PATH OLLAMA_URL OLLAMA_MODEL   which models workers, and the context engine, may ask
//   WORKERS WORKER_ID        which workers one worker process hosts, and its id
//   REPO_LOCAL_ROOTS         folders that repo jobs may read; `npm start` names this checkout
//   API_KEY API_KEYS_PATH TENANT_ID LOG_LEVEL
//
// An address is `host:port`; port 0 asks the system. After binding, a process calls
// `announceListening(<name of the port below>, <url>)` of core/process/announce.node.ts. SIGTERM drains
// it; a second SIGTERM or SIGINT ends it at once. Its log is JSON lines on stdout with a `level`.

export type ServiceName =
  | 'redis-rest'
  | 'safety'
  | 'scheduler'
  | 'context-engine'
  | 'worker'
  | 'orchestrator'
  | 'gateway';

export interface ServicePort {
  /** What the process announces it as. */
  readonly name: 'http' | 'rpc' | 'metrics';
  /** The variable in which the process reads its address. */
  readonly env: string;
  /** The variable with which a person sets it for `npm start`; differs where all processes share `env`. */
  readonly variable: string;
  readonly default: number;
  readonly purpose: string;
  /** Its name under `urls` in .cortex/run.json. */
  readonly url: string;
}

export interface Service {
  readonly name: string;
  /** The file that Node runs, from the root of the checkout. */
  readonly entry: string;
  readonly ports: readonly ServicePort[];
  /** Services that must be ready before this one starts: it dials them, or they must hear its first heartbeat. */
  readonly needs: readonly string[];
  /** The port, by name, that answers GET /health. */
  readonly health: ServicePort['name'];
}

function metrics(service: string, port: number): ServicePort {
  return {
    name: 'metrics',
    env: 'METRICS_ADDR',
    variable: `${service.toUpperCase().replaceAll('-', '_')}_METRICS_ADDR`,
    default: port,
    purpose: `${service} health and metrics`,
    url: `${service.replaceAll('-', '_')}_metrics`,
  };
}

export const services: readonly (Service & { readonly name: ServiceName })[] = [
  {
    name: 'safety',
    entry: 'functions/safety/node.ts',
    ports: [
      {
        name: 'rpc',
        env: 'SAFETY_KERNEL_ADDR',
        variable: 'SAFETY_KERNEL_ADDR',
        default: 50051,
        purpose: 'safety kernel',
        url: 'safety',
      },
      metrics('safety', 9093),
    ],
    needs: [],
    health: 'metrics',
  },
  {
    name: 'scheduler',
    entry: 'services/scheduler/node.ts',
    ports: [metrics('scheduler', 9090)],
    needs: ['safety'],
    health: 'metrics',
  },
  {
    name: 'context-engine',
    entry: 'services/context-engine/node.ts',
    ports: [
      {
        name: 'rpc',
        env: 'CONTEXT_ENGINE_ADDR',
        variable: 'CONTEXT_ENGINE_ADDR',
        default: 50070,
        purpose: 'context engine',
        url: 'context_engine',
      },
      metrics('context-engine', 9094),
    ],
    needs: [],
    health: 'metrics',
  },
  {
    name: 'worker',
    entry: 'services/worker/node.ts',
    ports: [metrics('worker', 9095)],
    needs: ['scheduler'],
    health: 'metrics',
  },
  {
    name: 'orchestrator',
    entry: 'services/orchestrator/node.ts',
    ports: [metrics('orchestrator', 9091)],
    needs: ['scheduler'],
    health: 'metrics',
  },
  {
    name: 'gateway',
    entry: 'functions/gateway/node.ts',
    ports: [
      {
        name: 'http',
        env: 'GATEWAY_HTTP_ADDR',
        variable: 'GATEWAY_HTTP_ADDR',
        default: 8081,
        purpose: 'gateway REST and Connect',
        url: 'gateway',
      },
      {
        name: 'rpc',
        env: 'GATEWAY_RPC_ADDR',
        variable: 'GATEWAY_RPC_ADDR',
        default: 8080,
        purpose: 'gateway gRPC and Connect',
        url: 'gateway_rpc',
      },
      metrics('gateway', 9092),
    ],
    needs: ['safety'],
    health: 'metrics',
  },
];

/** The front of Redis for functions without TCP. */
const redisRest: Service & { readonly name: ServiceName } = {
  name: 'redis-rest',
  entry: 'local/redis-rest/node.ts',
  ports: [
    {
      name: 'http',
      env: 'REDIS_REST_ADDR',
      variable: 'REDIS_REST_ADDR',
      default: 6380,
      purpose: 'Redis by REST',
      url: 'redis_rest',
    },
    metrics('redis-rest', 9096),
  ],
  needs: [],
  health: 'metrics',
};

/** The same with the functions in workerd (`npm start -- --edge`), which has no gRPC and reaches Redis by REST. */
export const edgeServices: typeof services = [
  redisRest,
  ...services.map((service) => {
    if (service.name !== 'safety' && service.name !== 'gateway') return service;
    const needs = [...service.needs, redisRest.name];
    const ports = service.ports.filter(({ env }) => env !== 'GATEWAY_RPC_ADDR');
    return { ...service, entry: `local/edge/${service.name}.ts`, ports, needs };
  }),
];
