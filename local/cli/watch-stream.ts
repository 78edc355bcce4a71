// Following all jobs of the tenant: a line per submission and per end, over a WebSocket that is opened again behind what was seen.
import { type RawData, WebSocket } from 'ws';
import { z } from 'zod';
import { type Client, ClientError } from './client.ts';
import type { Context } from './command.ts';
import { exit, type ExitCode } from './exit.ts';
import type { Output } from './output.ts';
import { reconnecting } from './reconnect.ts';
import { oneLine } from './text.ts';
import { clock, stateStyle } from './watch-line.ts';

const text = z.string().default('');
const frame = z.looseObject({
  cursor: z.string().optional(),
  reset: z.boolean().default(false),
  createdAt: text,
  jobRequest: z.looseObject({ jobId: text, topic: text, principalId: text }).optional(),
  jobResult: z
    .looseObject({ jobId: text, status: text, workerId: text, executionMs: text, errorCode: text, errorMessage: text })
    .optional(),
});
type Frame = z.infer<typeof frame>;

/** Ends by Ctrl-C alone. Throws Stop: refused, the gateway away for too long, interrupted. */
export async function watchStream(context: Context, client: Client): Promise<ExitCode> {
  const { out, args } = context;
  const given = args.text('cursor') ?? '';
  let cursor = given;
  /** The packet whose cursor has not come: it is taken with that. */
  let held: { readonly raw: string; readonly value: Frame } | undefined;
  const take = (raw: string): void => {
    const value = frame.parse(JSON.parse(raw));
    if (value.cursor === undefined) {
      held = { raw, value };
      return;
    }
    ({ cursor } = value);
    if (value.reset) out.note('some events are not kept any more; from here on none is missing');
    if (held === undefined) return;
    if (args.flag('json')) out.print(held.raw);
    else out.print(line(held.value, out));
    held = undefined;
  };
  try {
    await reconnecting(context, 'the jobs go on', (alive, signal) => {
      held = undefined;
      return connect(client, `/api/v1/stream?cursor=${encodeURIComponent(cursor)}`, { alive, signal, take });
    });
  } finally {
    // What was given may have been refused; it is known already in any case.
    if (cursor !== given) out.note(`go on from here: ${context.command(`watch --cursor ${cursor}`)}`);
  }
  return exit.ok;
}

interface Ears {
  readonly alive: () => void;
  readonly signal: AbortSignal;
  readonly take: (text: string) => void;
}

/** Resolves (to false: there is more) when the connection is over. Throws ClientError when there was none. */
function connect(client: Client, path: string, { alive, signal, take }: Ears): Promise<boolean> {
  const { url, headers } = client.socket(path);
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { headers, handshakeTimeout: 30_000 });
    const end = (): void => ws.terminate();
    let opened = false;
    let refused = false;
    signal.addEventListener('abort', end);
    ws.on('open', () => {
      opened = true;
      alive();
    });
    ws.on('ping', alive);
    ws.on('message', (data: RawData) => {
      alive();
      try {
        take((data as Buffer).toString());
      } catch (error) {
        reject(error);
        end();
      }
    });
    ws.on('unexpected-response', (_request, answer) => {
      refused = true;
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const got = new Headers();
        for (const [name, value] of Object.entries(answer.headers)) got.set(name, String(value));
        const response = new Response(null, { status: answer.statusCode ?? 500, headers: got });
        reject(client.refusal(response, Buffer.concat(chunks).toString()));
        end();
      });
    });
    ws.on('error', (error: Error) => {
      if (opened || refused || signal.aborted) return; // `close` follows, or the answer is read
      const { url: base, from } = client.gateway;
      const why = oneLine(error.message || (error as Error & { code?: string }).code || 'no answer');
      reject(new ClientError(`cannot reach the gateway at ${base} (${from}): ${why}`, exit.unreachable, true));
    });
    ws.on('close', () => {
      signal.removeEventListener('abort', end);
      if (!refused) resolve(false);
    });
  });
}

function line({ createdAt, jobRequest, jobResult }: Frame, out: Output): string {
  const id = oneLine(jobRequest?.jobId ?? jobResult?.jobId ?? '').padEnd(36);
  const start = `${clock(createdAt)}  ${id}  `;
  if (jobRequest !== undefined) {
    const by = jobRequest.principalId === '' ? '' : ` by ${jobRequest.principalId}`;
    return `${start}${out.paint('dim', 'submitted')}  ${oneLine(jobRequest.topic + by)}`;
  }
  const state = oneLine((jobResult?.status ?? '').replace(/^JOB_STATUS_/, ''));
  const { workerId = '', executionMs = '', errorCode = '', errorMessage = '' } = jobResult ?? {};
  const how = [
    ...(workerId === '' ? [] : [`on ${workerId}`]),
    ...(executionMs === '' ? [] : [`in ${executionMs} ms`]),
    ...(errorCode === '' && errorMessage === ''
      ? []
      : [[errorCode, errorMessage].filter((part) => part !== '').join(': ')]),
  ];
  return `${start}${out.paint(stateStyle(state), state)}  ${oneLine(how.join(', '))}`.trimEnd();
}
