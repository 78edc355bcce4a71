// cortex submit: one job, from a prompt, from JSON, or both.
import type { Command } from '../command.ts';
import { gatewayOptions } from '../command.ts';
import { type Args, usageError } from '../args.ts';
import { exit } from '../exit.ts';
import { readJsonOption, readText } from '../files.ts';
import { follow } from '../follow.ts';
import { accepted } from '../job.ts';
import { showOutcome } from '../show-job.ts';
import { oneLine } from '../text.ts';

export const submit: Command = {
  name: 'submit',
  summary: 'hand in a job',
  operands: ['[PROMPT]'],
  options: {
    topic: { kind: 'text', value: 'TOPIC', help: 'what kind of job it is; job.chat.simple without it' },
    priority: {
      kind: 'text',
      value: 'PRIORITY',
      oneOf: ['critical', 'interactive', 'batch'],
      help: 'critical, interactive (without it) or batch',
    },
    context: { kind: 'text', value: 'JSON', help: 'the payload beside the prompt: JSON, @FILE, or - for stdin' },
    wait: { kind: 'wait', value: 'SECONDS', help: 'wait for the end, or that long, and print the result' },
    label: { kind: 'list', value: 'NAME=VALUE', help: 'a label, which the worker must carry too; may be repeated' },
    tag: { kind: 'list', value: 'TAG', help: 'a tag for the context engine; may be repeated' },
    meta: { kind: 'text', value: 'JSON', help: 'capability, requires, risk_tags, actor_id ...: JSON or @FILE' },
    principal: { kind: 'text', value: 'NAME', help: 'for whom; somebody else needs the key of an operator' },
    'idempotency-key': { kind: 'text', value: 'KEY', help: 'the same key and job again: the first job answers' },
    'memory-id': { kind: 'text', value: 'ID', help: 'the memory that the context engine uses' },
    'context-mode': { kind: 'text', value: 'MODE', help: 'raw, chat or rag' },
    adapter: { kind: 'text', value: 'ID', help: 'a hint for the worker' },
    'deadline-ms': { kind: 'count', value: 'MS', help: 'the job ends in TIMEOUT after that long' },
    'max-input-tokens': { kind: 'count', value: 'N', help: 'of the window that a model gets' },
    'max-output-tokens': { kind: 'count', value: 'N', help: 'of what a model may answer' },
    'max-total-tokens': { kind: 'count', value: 'N', help: 'of both' },
    record: { kind: 'flag', help: 'keep what it says to models, for cortex replay' },
    'allow-summarization': { kind: 'flag', help: 'the context engine may shorten history' },
    'allow-retrieval': { kind: 'flag', help: 'the context engine may look things up' },
    ...gatewayOptions,
  },
  notes: ['A PROMPT of - is read from stdin. Without --wait the answer comes as soon as the job is stored.'],
  examples: [
    ['submit hello --wait', 'a first job, and its answer'],
    [`submit --topic job.echo --context '{"n":1}' --wait=30 --json`, 'JSON in, JSON out'],
    ['submit --topic job.echo --context @payload.json', 'the payload from a file'],
  ],
  async run(context) {
    const { args, out, command } = context;
    const body = await readBody(context);
    const client = context.client();
    const { text, value, headers } = await client.call({
      method: 'POST',
      path: '/api/v1/jobs',
      headers: { 'idempotency-key': args.text('idempotency-key') },
      body,
      schema: accepted,
    });
    const id = value.job_id;
    if (headers.get('idempotent-replayed') === 'true') out.note('this key was used before: it is the job of then');
    const seconds = args.wait('wait');
    if (seconds !== undefined) return follow(context, client, id, seconds, showOutcome);
    if (args.flag('json')) out.json(text);
    else {
      out.print(
        `${out.paint('dim', 'job  ')} ${oneLine(id)}`,
        `${out.paint('dim', 'trace')} ${oneLine(value.trace_id)}`,
      );
      out.note(`its result: ${command(`get ${id} --wait`)}`);
    }
    return exit.ok;
  },
};

async function readBody({ args, sources }: Parameters<Command['run']>[0]): Promise<Record<string, unknown>> {
  const given = args.operand(0);
  const context = args.text('context');
  const meta = args.text('meta');
  if (given === undefined && context === undefined) throw usageError('submit', 'PROMPT or --context is missing');
  if ([given, context, meta].filter((text) => text === '-').length > 1) {
    throw usageError('submit', 'stdin can be read for one of PROMPT, --context and --meta only');
  }
  const labels = readLabels(args);
  const json = (name: string, text: string | undefined): Promise<unknown> =>
    text === undefined ? Promise.resolve(undefined) : readJsonOption(name, text, sources);
  return {
    prompt: given === '-' ? await readText('PROMPT', '-', sources) : given,
    topic: args.text('topic'),
    priority: args.text('priority'),
    context: await json('--context', context),
    labels,
    tags: args.list('tag').length === 0 ? undefined : args.list('tag'),
    meta: await json('--meta', meta),
    principal_id: args.text('principal'),
    memory_id: args.text('memory-id'),
    context_mode: args.text('context-mode'),
    adapter_id: args.text('adapter'),
    deadline_ms: args.count('deadline-ms'),
    max_input_tokens: args.count('max-input-tokens'),
    max_output_tokens: args.count('max-output-tokens'),
    max_total_tokens: args.count('max-total-tokens'),
    record: args.flag('record') || undefined,
    allow_summarization: args.flag('allow-summarization') || undefined,
    allow_retrieval: args.flag('allow-retrieval') || undefined,
  };
}

function readLabels(args: Args): Record<string, string> | undefined {
  const pairs = args.list('label').map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw usageError('submit', `--label: ${JSON.stringify(text)} is not NAME=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}
