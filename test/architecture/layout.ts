// What each place in the tree is: pure, driver, entry, Node or anywhere. The rules read these lists; when a new kind of file
// appears, it is named here first.

import picomatch from 'picomatch';

const matcher = (...globs: string[]): ((path: string) => boolean) => picomatch(globs);

/** Decisions only: data in, data out; time and ids are arguments. */
export const isPure = matcher(
  'core/errors.ts',
  'core/field-problem.ts',
  'core/result.ts',
  'core/protocol/**',
  'core/jobs/{state,job,keys,lane,submission,follow,usage}.ts',
  'core/policy/{policy,pattern,evaluate,explain}.ts',
  'core/routing/{pools,registry,strategy,worker-entry}.ts',
  'core/planning/**',
  'core/scheduling/**',
  'core/workflow/{advance,context,definition,effects,lines,machine,mailbox,rerun,run,timeline,undo}.ts',
  'core/context/{account,choose,count-cache,cut,encoding,encoding-of,fill,piece,tokens,turns,user-message,window}.ts',
  'core/context/memory/{entry,facts,recall,recalled-pieces,speech,term-index}.ts',
  'core/context/repo/!(tree-outline|embeddings|*.node).ts',
  'core/model/{budget,fault,models,recording}.ts',
);

/** Packages without clock, randomness, sockets or environment, which pure files may call. */
export const PURE_PACKAGES = new Set(['@bufbuild/protobuf', '@noble/hashes', 'picomatch', 'zod']);

/** One way to fulfil a port: chosen by an entry, unknown to everybody else. */
export const isDriver = matcher(
  'core/bus/{memory,nats,nats-tcp.node,nats-ws}.ts',
  'core/jobs/{memory,redis}-*.ts',
  'core/archives/{memory,redis}-*.ts',
  'core/redis/{ioredis.node,upstash}.ts',
  'core/metrics/{prom.node,noop}.ts',
  'core/payloads/{memory,redis,r2,s3}*.ts',
  'core/policy/{memory,rpc}-*.ts',
  'core/workflow/{memory,redis}-*.ts',
  'core/context/{memory,redis,rpc}-*.ts',
  'core/model/{anthropic,memory,ollama,openai-compatible,openai-embeddings,recorded,sdk}.ts',
  'core/!(process|http)/**/*.node.ts',
);

/** Where a process, a thread or a function begins: reads the environment, chooses drivers. */
export const isEntry = matcher('functions/*/{worker,node}.ts', 'services/*/node.ts', 'services/*/*.thread.ts');

/** May be given drivers by name: the entries, and what stands outside the product. */
export const mayCompose = (path: string): boolean => isEntry(path) || /^(local|test)\//.test(path);

/** May import what a name says that is known at run time alone: what stands outside the product, and what loads a user's module. */
export const mayLoadAnything = matcher('local/**', 'test/**', 'services/orchestrator/load.node.ts');

/** Runs in workerd as well as in Node. */
export const runsAnywhere = (path: string): boolean =>
  /^(core|functions|proto\/gen)\//.test(path) && !isNodeFile(path) && path.endsWith('.ts');

export const isNodeFile = (path: string): boolean => /(^|\/)node\.ts$|\.node\.ts$/.test(path);

/** Packages that need Node, so nothing that runs in workerd may reach them. */
export const NODE_PACKAGES = new Set([
  '@connectrpc/connect-node',
  '@grpc/grpc-js',
  '@grpc/proto-loader',
  '@hono/node-server',
  '@nats-io/transport-node',
  'bullmq',
  'ioredis',
  'prom-client',
  'ws',
]);

/** The two NATS transports share one module global: after one `wsconnect` a dropped TCP connection comes back as WebSocket. */
export const NATS_TCP = new Set(['@nats-io/transport-node']);
export const NATS_WS = new Set(['nats.ws', 'core/bus/nats-ws.ts']);
