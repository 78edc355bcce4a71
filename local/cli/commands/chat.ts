// cortex chat: a conversation with the model behind job.chat.advanced, one job per question.
import { randomUUID } from 'node:crypto';
import { ask, type Question, type Turn } from '../chat/turn.ts';
import { createConversation } from '../chat/conversation.ts';
import { openLines } from '../chat/lines.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { type Args, usageError } from '../args.ts';
import { ClientError } from '../client.ts';
import { type Command, type Context, gatewayOptions } from '../command.ts';
import { exit, type ExitCode, exitOfState } from '../exit.ts';
import { oneLine } from '../text.ts';

const { tenant, gateway, 'key-file': keyFile } = gatewayOptions as Required<typeof gatewayOptions>;

const modes = ['chat', 'rag'] as const;

export const chat: Command = {
  name: 'chat',
  summary: 'talk with the model',
  operands: [],
  options: {
    topic: { kind: 'text', value: 'TOPIC', help: 'another topic that answers a prompt; default job.chat.advanced' },
    once: { kind: 'text', value: 'TEXT', help: 'ask this one thing, and end' },
    memory: { kind: 'text', value: 'ID', help: 'go on with this memory; a conversation without it has a new one' },
    mode: { kind: 'text', value: 'MODE', oneOf: modes, help: 'rag: with the repository of the memory; default chat' },
    history: { kind: 'count', value: 'N', help: 'no memory: so many characters of what was said go along' },
    ...(tenant && { tenant }),
    ...(gateway && { gateway }),
    ...(keyFile && { 'key-file': keyFile }),
  },
  notes: [
    'Each line is a question, and each question a job; the answer is printed as it is made. What was said stands in a memory: the next question is answered from what of it bears on it, however long ago it was. A review of a repository with --memory-id leaves a memory that --mode rag speaks of.',
    'Ctrl-C during an answer cancels its job. Ctrl-C or Ctrl-D at the prompt leaves. Through a pipe each line is a question as well, also behind one that was refused, and the exit code is that of the first one that failed.',
  ],
  examples: [
    ['chat', 'a conversation'],
    ['chat --once "What is a lease?"', 'one question'],
    ['chat --memory repo:demo --mode rag', 'about a repository'],
    ['chat < questions.txt', 'one question per line'],
  ],
  async run(context) {
    const once = context.args.text('once');
    if (once !== undefined && once.trim() === '') throw usageError('chat', '--once: is empty');
    const { args } = context;
    const memory = memoryOf(args, once !== undefined);
    const conversation = createConversation(memory === undefined ? (args.count('history') ?? 0) : 0);
    const client = context.client();
    const topic = context.args.text('topic') ?? 'job.chat.advanced';
    const turn = async (prompt: string, stop: AbortSignal): Promise<Turn> => {
      const answered = await ask(
        context,
        client,
        { topic, prompt, history: conversation.before(prompt), memory },
        stop,
      );
      if (answered.answer !== undefined) conversation.add(prompt, answered.answer);
      return answered;
    };
    if (once !== undefined) return exitOfState((await turn(once, context.signal)).state);
    const again = args.text('memory') !== undefined || memory === undefined ? undefined : `chat --memory ${memory.id}`;
    return converse(context, turn, again === undefined ? undefined : `${context.command(again)} goes on here`);
  },
};

/** undefined: nothing is remembered, as of a single question. Throws Stop for options that do not go together. */
function memoryOf(args: Args, once: boolean): Question['memory'] {
  const [id, mode] = [args.text('memory'), args.text('mode')];
  if (args.count('history') !== undefined) {
    if (id === undefined && mode === undefined) return undefined;
    throw usageError('chat', '--history: does not go together with --memory and --mode');
  }
  if (id === undefined && mode !== undefined) throw usageError('chat', '--mode: needs --memory');
  if (id === '') throw usageError('chat', '--memory: is empty');
  if (id === undefined && once) return undefined;
  return { id: id ?? `chat:${randomUUID()}`, mode: mode ?? 'chat' };
}

/** Whether the gateway refused what this question says, and not whoever asks. */
function isItsOwn(error: Stop): boolean {
  return error instanceof ClientError && [400, 413, 422].includes(error.status ?? 0);
}

/** Questions until there is none any more; `farewell` is for a person who has asked something. */
async function converse(
  context: Context,
  turn: (prompt: string, stop: AbortSignal) => Promise<Turn>,
  farewell: string | undefined,
): Promise<ExitCode> {
  const { out, sources, signal } = context;
  const lines = openLines(sources.stdin, process.stderr, '> ');
  const leave = (): void => lines.close();
  signal.addEventListener('abort', leave);
  let failed: ExitCode = exit.ok;
  let asked = false;
  try {
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
      const prompt = line;
      if (prompt.trim() === '') continue;
      try {
        const { state } = await lines.during((stop) => turn(prompt, stop));
        asked = true;
        if (failed === exit.ok) failed = exitOfState(state);
      } catch (error) {
        // At a terminal the conversation goes on when the gateway is there again; through a pipe, where the next question may do better.
        if (signal.aborted || !(error instanceof Stop && (lines.interactive || isItsOwn(error)))) throw error;
        out.done();
        out.note(`cortex: ${oneLine(error.message)}`);
        if (failed === exit.ok) failed = error.exitCode as ExitCode;
      }
    }
  } finally {
    signal.removeEventListener('abort', leave);
    lines.close();
  }
  signal.throwIfAborted();
  if (lines.interactive && asked && farewell !== undefined) out.note(farewell);
  return lines.interactive ? exit.ok : failed;
}
