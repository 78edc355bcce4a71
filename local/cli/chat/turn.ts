// One question and its answer: submits the job and prints its text as it is made, until the job has ended. When the gateway breaks off,
// the next connection goes on behind what was printed.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Stop } from '../../bootstrap/stop.mjs';
import type { Call, Client } from '../client.ts';
import type { Context } from '../command.ts';
import { exit } from '../exit.ts';
import { type Accepted, accepted, cancelled, type JobDetail, jobPath } from '../job.ts';
import { followEvents } from '../job-events.ts';
import type { SseEvent } from '../sse.ts';
import { oneLine, visible } from '../text.ts';
import type { Message } from './conversation.ts';

export interface Question {
  readonly topic: string;
  readonly prompt: string;
  readonly history: readonly Message[];
  /** What was said before is there, and what is said now goes there. */
  readonly memory?: { readonly id: string; readonly mode: string } | undefined;
}

export interface Turn {
  /** How the job ended. */
  readonly state: string;
  /** Undefined unless it SUCCEEDED with one. */
  readonly answer: string | undefined;
}

const piece = z.object({ offset: z.number(), text: z.string() });
const step = z.looseObject({ state: z.string().default('') });
const result = z.looseObject({ response: z.string() });

/**
 * Aborted by `stop` it cancels the job. Throws Stop: refused, the gateway away, not to be cancelled, interrupted from outside (then the job is
 * cancelled as well).
 */
export async function ask(context: Context, client: Client, question: Question, stop: AbortSignal): Promise<Turn> {
  const { out, signal } = context;
  const { topic, prompt, history, memory } = question;
  const submit: Call<Accepted> = {
    method: 'POST',
    path: '/api/v1/jobs',
    headers: { 'idempotency-key': randomUUID() },
    body: {
      ...{ topic, prompt, ...(history.length > 0 && { context: { messages: history } }) },
      ...(memory !== undefined && { memory_id: memory.id, context_mode: memory.mode }),
    },
    schema: accepted,
  };
  const either = AbortSignal.any([signal, stop]);
  const printed = createPrinter(context);
  let id: string | undefined;
  try {
    ({ job_id: id } = (await context.client(either).call(submit)).value);
    const job = await followJob(context, client, { id, stop, printed });
    return tell(job, printed, context);
  } catch (error) {
    if (!either.aborted || !(error instanceof Stop || error === either.reason)) throw error;
    printed.end();
    const ended = await cancelAsked(context, submit, id);
    out.note(ended.state === 'CANCELLED' ? 'cancelled' : `it had ended before: ${oneLine(ended.state)}`);
    if (signal.aborted) throw new Stop(`stopped; job ${ended.id} is ${oneLine(ended.state)}`, exit.interrupted);
    return { state: ended.state, answer: undefined };
  }
}

/** How long a gateway may take to cancel, ms. */
const cancelMs = 10_000;

/** Cancels the job of that submission, `id` where the gateway has said it. Throws Stop that says what goes on. */
async function cancelAsked(
  context: Context,
  submit: Call<Accepted>,
  known: string | undefined,
): Promise<{ readonly id: string; readonly state: string }> {
  const time = AbortSignal.timeout(cancelMs);
  const client = context.client(time);
  context.out.progress('cancelling ...', 0);
  let id = known;
  try {
    // It may have been accepted without a word: the same idempotency key leads to the same job.
    ({ job_id: id } = id === undefined ? (await client.call(submit)).value : { job_id: id });
    const { value } = await client.call({ method: 'POST', path: `${jobPath(id)}/cancel`, schema: cancelled });
    return { id, state: value.state };
  } catch (error) {
    if (!(error instanceof Stop) && error !== time.reason) throw error;
    const why = error instanceof Stop ? error.message : `the gateway did not answer within ${cancelMs / 1_000} s`;
    const job = id === undefined ? 'the job, if there is one,' : `job ${id}`;
    const code = error instanceof Stop ? error.exitCode : exit.unreachable;
    throw new Stop(`not cancelled: ${why}; ${job} goes on`, context.signal.aborted ? exit.interrupted : code);
  } finally {
    context.out.done();
  }
}

interface Following {
  readonly id: string;
  readonly stop: AbortSignal;
  readonly printed: Printer;
}

async function followJob(context: Context, client: Client, { id, stop, printed }: Following): Promise<JobDetail> {
  const { out, signal } = context;
  const show = ({ type, data }: SseEvent): void => {
    const value = JSON.parse(data) as unknown;
    if (type === 'output') printed.take(piece.parse(value));
    else if (type === 'state' && out.live && !printed.any) {
      const { state } = step.parse(value);
      if (state !== 'RUNNING') out.progress(`${oneLine(state)} ...`, 0);
    }
  };
  return followEvents({ out, signal: AbortSignal.any([signal, stop]) }, { id, client, lastId: '', show });
}

/** What the end adds to what was printed. */
function tell(job: JobDetail, printed: Printer, { out }: Context): Turn {
  const answer = job.state === 'SUCCEEDED' ? result.safeParse(job.result) : undefined;
  if (answer?.success === true) printed.complete(answer.data.response);
  printed.end();
  if (job.state !== 'SUCCEEDED') {
    const why = [job.error_code, job.error_message].filter((part) => part !== '').join(': ');
    out.note(oneLine(`${job.state}${why === '' ? '' : ` ${why}`}`));
  } else if (answer?.success !== true) out.print(oneLine(JSON.stringify(job.result ?? null)));
  return { state: job.state, answer: answer?.success === true ? answer.data.response : undefined };
}

interface Printer {
  /** Something stands there. */
  readonly any: boolean;
  take(piece: { readonly offset: number; readonly text: string }): void;
  /** The rest of the whole answer. */
  complete(whole: string): void;
  /** The answer ends, as a line does. */
  end(): void;
}

/** Prints an answer piece by piece. Of an attempt that was given up something may stand there already: the next begins on its own line. */
function createPrinter({ out }: Context): Printer {
  let text = '';
  const write = (more: string): void => {
    if (more !== '') out.write(out.width === Number.POSITIVE_INFINITY ? more : visible(more));
    text += more;
  };
  const end = (): void => {
    if (text !== '' && !text.endsWith('\n')) out.write('\n');
    text = '';
  };
  return {
    get any() {
      return text !== '';
    },
    take(given) {
      if (given.offset === 0 && text !== '') {
        end();
        out.note('the worker was lost or failed; the answer begins again');
      }
      write(given.text);
    },
    complete(whole) {
      if (whole.startsWith(text)) write(whole.slice(text.length));
      else {
        end();
        write(whole);
      }
    },
    end,
  };
}
