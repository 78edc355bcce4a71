// What `npm start` prints when it is ready: where everything is, and the next thing to type.
import type { RunNote } from '../bootstrap/checkout.mjs';
import type { Proof } from './proof.ts';
import { withoutSecrets } from './server-unit.ts';

export interface Summary {
  readonly note: Pick<RunNote, 'urls' | 'nats' | 'nats_ws' | 'redis'>;
  readonly seconds: number;
  readonly proof: Proof;
  readonly needsKey: boolean;
  readonly logFolder: string;
}

export function summarize({ note, seconds, proof, needsKey, logFolder }: Summary): string {
  const gateway = note.urls['gateway'] ?? '';
  const rpc = note.urls['gateway_rpc'];
  const rest = note.urls['redis_rest'];
  const key = needsKey ? " -H 'x-api-key: YOUR KEY'" : '';
  const webSocket = note.nats_ws === '' ? '' : `   (WebSocket: ${note.nats_ws})`;
  return `
CortexOS is ${proof.succeeded ? 'ready' : 'up'} (${seconds.toFixed(1)} s). ${proof.sentence}

  gateway   ${gateway}   ${rpc === undefined ? '(in workerd; Connect and gRPC-Web as well)' : `(gRPC and Connect: ${rpc})`}
  safety    ${note.urls['safety'] ?? 'none'}
  context   ${note.urls['context_engine'] ?? 'none'}
  NATS      ${withoutSecrets(note.nats)}${webSocket}
  Redis     ${withoutSecrets(note.redis)}${rest === undefined ? '' : `   (REST: ${rest})`}
  logs      ${logFolder}

Submit a job and wait for its result:

  curl -s ${gateway}/api/v1/jobs${key} -H 'content-type: application/json' -d '{"prompt":"hello"}'
  curl -s '${gateway}/api/v1/jobs/JOB_ID?wait=30'${key}
  npm run cortex -- submit hello

Stop: Ctrl-C, or kill ${process.pid}. A second Ctrl-C does not wait for running jobs.`;
}
