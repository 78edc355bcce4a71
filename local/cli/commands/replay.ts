// cortex replay: runs a recorded job again, here and without any network, and shows where it comes to something else.
import { z } from 'zod';
import { type Recording, recordingShape } from '#core/model/recording.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { runReplay } from '../../replay/run.ts';
import { usageError } from '../args.ts';
import { type Command, type Context, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { readText } from '../files.ts';
import { jobPath } from '../job.ts';
import { showDivergence, showOutcomes } from '../show-replay.ts';

const recorded = recordingShape.extend({
  id: z.string(),
  state: z.string(),
  payload: z.string().nullable(),
  result: z.string().nullable(),
});

export const replay: Command = {
  name: 'replay',
  summary: 'run a recorded job again without any network, and compare',
  operands: ['JOB'],
  options: {
    payload: { kind: 'text', value: 'FILE', help: 'another payload, JSON; - for stdin' },
    prompt: { kind: 'text', value: 'TEXT', help: 'another prompt in the payload' },
    ...gatewayOptions,
    json: { kind: 'flag', help: 'print what it came to as JSON' },
  },
  notes: [
    'A job is recorded that was submitted with --record, or whose worker has MODEL_RECORD=all; none is where that is off. The handler is that of this checkout; models and programs answer as they did then. The exit code is 0 when all is as it was, and 1 when something differs; 2 when the recording is not enough to run it.',
  ],
  examples: [
    ['replay 0199f0c2-...', 'whether the code of today comes to the same'],
    ['replay 0199f0c2-... --prompt "Say it shorter"', 'where another prompt leaves the recording'],
  ],
  async run(context) {
    const { args, out, checkout, signal } = context;
    const id = args.operand(0) ?? '';
    const path = `${jobPath(id)}/recording`;
    const { value } = await context.client().call({ path, schema: recorded });
    const { attempt, exchanges, end, state, result } = value;
    if (end.cut)
      throw new Stop('the recording is cut, since there was too much to keep: it cannot be replayed', exit.usage);
    if (value.payload === null && attempt.request['contextPtr'] !== undefined && args.text('payload') === undefined)
      throw new Stop('the payload is gone: its time is over', exit.usage);
    const payload = await readPayload(context, value.payload);
    const replayed = await runReplay({ attempt, exchanges, end, payload }, { checkout, signal });
    if ('problem' in replayed) throw new Stop(replayed.problem, exit.usage);
    const { outcome, divergence } = replayed;
    // An attempt that is tried again is not what the job came to; its own outcome is in the recording.
    const { status, error_code, error_message } = end;
    const before = {
      status,
      error_code,
      error_message,
      result: status === 'SUCCEEDED' && state === status ? result : null,
    };
    const identical =
      divergence === undefined &&
      outcome.status === before.status &&
      outcome.result === before.result &&
      outcome.error_code === before.error_code &&
      outcome.error_message === before.error_message;
    if (args.flag('json')) out.json(JSON.stringify({ identical, ...outcome, divergence: divergence ?? null }));
    else if (identical) out.print(`identical: ${outcome.status}, ${countOf(exchanges)}`);
    else if (divergence !== undefined) out.print(...showDivergence(divergence));
    else out.print(...showOutcomes(before, outcome));
    return identical ? exit.ok : exit.failed;
  },
};

function countOf(exchanges: Recording['exchanges']): string {
  const tools = exchanges.filter(({ request }) => 'tool' in request).length;
  const models = exchanges.length - tools;
  return `${models} of ${models} exchanges with models${tools === 0 ? '' : `, ${tools} of ${tools} with tools`}`;
}

/** The payload that was stored, or what is asked for in its place. */
async function readPayload({ args, sources }: Context, stored: string | null): Promise<string | null> {
  const file = args.text('payload');
  const prompt = args.text('prompt');
  const text = file === undefined ? stored : await readText('--payload', file === '-' ? '-' : `@${file}`, sources);
  if (file !== undefined) parsed('--payload', text);
  if (prompt === undefined) return text;
  const payload = parsed('the payload', text);
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    throw usageError('replay', '--prompt: the payload is no object that could hold one');
  return JSON.stringify({ ...payload, prompt });
}

function parsed(name: string, text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw usageError('replay', `${name}: is not JSON`);
  }
}
