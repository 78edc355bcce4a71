// cortex chat: a conversation with the model behind job.chat.advanced, one job per question.
import { ask, type Turn } from '../chat/turn.ts';
import { createConversation } from '../chat/conversation.ts';
import { openLines } from '../chat/lines.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { usageError } from '../args.ts';
import { ClientError } from '../client.ts';
import { type Command, type Context, gatewayOptions } from '../command.ts';
import { exit, type ExitCode, exitOfState } from '../exit.ts';
import { oneLine } from '../text.ts';

const { tenant, gateway, 'key-file': keyFile } = gatewayOptions as Required<typeof gatewayOptions>;

/** Characters of history and prompt together: they fit into the context of a small model. */
const historyLength = 24_000;

export const chat: Command = {
  name: 'chat',
  summary: 'talk with the model',
  operands: [],
  options: {
    topic: { kind: 'text', value: 'TOPIC', help: 'another topic that answers a prompt; default job.chat.advanced' },
    once: { kind: 'text', value: 'TEXT', help: 'ask this one thing, and end' },
    history: { kind: 'count', value: 'N', help: `characters of what was said that go along; default ${historyLength}` },
    ...(tenant && { tenant }),
    ...(gateway && { gateway }),
    ...(keyFile && { 'key-file': keyFile }),
  },
  notes: [
    'Each line is a question, and each question a job; the answer is printed as it is made. What was said goes along with the next question, the oldest is left out when it grows too long.',
    'Ctrl-C during an answer cancels its job. Ctrl-C or Ctrl-D at the prompt leaves. Through a pipe each line is a question as well, also behind one that was refused, and the exit code is that of the first one that failed.',
  ],
  examples: [
    ['chat', 'a conversation'],
    ['chat --once "What is a lease?"', 'one question'],
    ['chat < questions.txt', 'one question per line'],
  ],
  async run(context) {
    const once = context.args.text('once');
    if (once !== undefined && once.trim() === '') throw usageError('chat', '--once: is empty');
    const conversation = createConversation(context.args.count('history') ?? historyLength);
    const client = context.client();
    const topic = context.args.text('topic') ?? 'job.chat.advanced';
    const turn = async (prompt: string, stop: AbortSignal): Promise<Turn> => {
      const answered = await ask(context, client, { topic, prompt, history: conversation.before(prompt) }, stop);
      if (answered.answer !== undefined) conversation.add(prompt, answered.answer);
      return answered;
    };
    if (once !== undefined) return exitOfState((await turn(once, context.signal)).state);
    return converse(context, turn);
  },
};

/** Whether the gateway refused what this question says, and not whoever asks. */
function isItsOwn(error: Stop): boolean {
  return error instanceof ClientError && [400, 413, 422].includes(error.status ?? 0);
}

/** Questions until there is none any more. */
async function converse(
  context: Context,
  turn: (prompt: string, stop: AbortSignal) => Promise<Turn>,
): Promise<ExitCode> {
  const { out, sources, signal } = context;
  const lines = openLines(sources.stdin, process.stderr, '> ');
  const leave = (): void => lines.close();
  signal.addEventListener('abort', leave);
  let failed: ExitCode = exit.ok;
  try {
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
      const prompt = line;
      if (prompt.trim() === '') continue;
      try {
        const { state } = await lines.during((stop) => turn(prompt, stop));
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
  return lines.interactive ? exit.ok : failed;
}
