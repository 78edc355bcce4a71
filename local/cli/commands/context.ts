// cortex context explain, show, note, forget: windows and memories, as the context engine has them.
import { toJson } from '@bufbuild/protobuf';
import { z } from 'zod';
import {
  type BuildWindowRequest,
  BuildWindowResponseSchema,
  ContextMode,
  type ReadMemoryResponse,
  ReadMemoryResponseSchema,
} from '#proto/cortex/v1/context_pb.ts';
import { type Options, usageError } from '../args.ts';
import { type Command, type Context, gatewayOptions } from '../command.ts';
import { askEngine, type EngineClient, engineOptions } from '../context-engine.ts';
import { exit } from '../exit.ts';
import { readText } from '../files.ts';
import { type JobDetail, jobDetail, jobPath } from '../job.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { showWindow } from '../show-window.ts';
import { table } from '../table.ts';
import { oneLine, visible } from '../text.ts';

const modes = { raw: ContextMode.RAW, chat: ContextMode.CHAT, rag: ContextMode.RAG } as const;
type ModeName = keyof typeof modes;
const modeNames = Object.keys(modes) as ModeName[];
const { gateway, 'key-file': keyFile } = gatewayOptions as Required<typeof gatewayOptions>;

const explainOptions: Options = {
  memory: { kind: 'text', value: 'ID', help: 'with this memory' },
  prompt: { kind: 'text', value: 'TEXT', help: 'what is asked; @FILE or - reads it' },
  mode: { kind: 'text', value: 'MODE', oneOf: modeNames, help: 'raw, chat or rag; chat without it' },
  repository: { kind: 'text', value: 'NAME', help: 'this repository, in place of the one of the memory' },
  model: { kind: 'text', value: 'NAME', help: "the provider's name of the model, by which tokens are counted" },
  budget: { kind: 'count', value: 'TOKENS', help: 'what the window may have; 8000 without it' },
  texts: { kind: 'flag', help: 'print the messages as well' },
  ...engineOptions,
  ...(gateway && { gateway }),
  ...(keyFile && { 'key-file': keyFile }),
};

export const contextExplain: Command = {
  name: 'context explain',
  summary: 'show what of a memory and a repository goes into a window, what does not, and why',
  operands: ['[JOB]'],
  options: explainOptions,
  notes: [
    'Of a JOB that has SUCCEEDED with a memory, the window that its answer came from: the memory as it was then, the commit of then. Else the window that --prompt would have now.',
    'This asks the context engine itself, which is an operator on its machine or network: it believes which tenant is named.',
  ],
  examples: [
    ['context explain 0199f0c2-...', 'what did the model see?'],
    ['context explain --memory repo:demo --mode rag --prompt "Where is a lease renewed?"', 'what would it see?'],
  ],
  async run(context) {
    const { args, out } = context;
    const job = args.operand(0);
    const request = job === undefined ? await asked(context) : await ofJob(context, job);
    const window = await askEngine(context, (engine) => engine.buildWindow({ ...request, explain: true }));
    if (args.flag('json')) out.json(JSON.stringify(toJson(BuildWindowResponseSchema, window)));
    else showWindow(window, args.flag('texts'), out);
    return exit.ok;
  },
};

type Wanted = Partial<Omit<BuildWindowRequest, '$typeName' | '$unknown'>>;

async function asked(context: Context): Promise<Wanted> {
  const { args, sources } = context;
  const prompt = args.text('prompt');
  const budget = args.count('budget') ?? 0;
  if (budget > 2 ** 31 - 1) throw usageError('context explain', '--budget: is too large');
  if (prompt === undefined) throw usageError('context explain', 'needs a JOB, or --prompt');
  const text = await readText('--prompt', prompt, sources);
  return {
    memoryId: args.text('memory') ?? '',
    mode: modes[(args.text('mode') ?? 'chat') as ModeName],
    repository: args.text('repository') ?? '',
    logicalPayload: payloadOf(text),
    ...common(context),
    maxInputTokens: budget,
  };
}

const withContext = z.looseObject({
  prompt: z.string(),
  context: z.object({
    memory_id: z.string(),
    mode: z.enum(['raw', 'chat', 'rag']),
    limit: z.number(),
    before: z.number(),
    counted_for: z.string().default(''),
    epoch: z.string(),
    history: z.number(),
    repository: z.string().default(''),
    commit: z.string().default(''),
  }),
});

/** What that job asked for, by its result. */
async function ofJob(context: Context, id: string): Promise<Wanted> {
  const { args } = context;
  for (const name of ['memory', 'prompt', 'mode', 'repository', 'budget']) {
    if (args.text(name) !== undefined || args.count(name) !== undefined)
      throw usageError('context explain', `--${name}: does not go together with a JOB`);
  }
  const { value: job } = await context.client().call({ path: jobPath(id), schema: jobDetail });
  const result = withContext.safeParse(job.result);
  if (!result.success)
    throw new Stop(`job ${oneLine(job.id)} cannot be explained: ${oneLine(whyNot(job))}`, exit.usage);
  const { prompt, context: told } = result.data;
  if (told.history > 0)
    context.out.note(`without the ${told.history} messages that the job brought itself: its result does not keep them`);
  return {
    // What had no epoch was not there yet.
    memoryId: told.epoch === '' ? '' : told.memory_id,
    epoch: told.epoch,
    mode: modes[told.mode],
    logicalPayload: payloadOf(prompt),
    maxInputTokens: told.limit,
    before: BigInt(told.before),
    ...(told.repository === '' ? { noRepository: true } : { repository: told.repository, commit: told.commit }),
    ...common(context),
    tenantId: args.text('tenant') ?? job.tenant,
    model: args.text('model') ?? told.counted_for,
  };
}

function whyNot({ state, result }: JobDetail): string {
  if (state !== 'SUCCEEDED') return `it is ${state}`;
  const isPatch = typeof result === 'object' && result !== null && 'patch' in result && 'context' in result;
  return isPatch
    ? 'of a patch, the result itself tells what stood around its file (cortex get)'
    : 'its result tells of no window: it spoke with no memory';
}

function common({ args }: Context): Wanted {
  return { tenantId: args.text('tenant') ?? '', model: args.text('model') ?? '' };
}

function payloadOf(prompt: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ prompt }));
}

export const contextShow: Command = {
  name: 'context show',
  summary: 'show what a memory holds',
  operands: ['MEMORY'],
  options: engineOptions,
  notes: ['First the facts that hold, each with the entry that says it; then all that was said.'],
  examples: [['context show chat:0199f0c2-...', 'a conversation']],
  async run(context) {
    const { args, out } = context;
    const memoryId = args.operand(0) ?? '';
    const memory = await askEngine(context, (engine) => readAll(engine, memoryId, args.text('tenant') ?? ''));
    if (args.flag('json')) {
      out.json(JSON.stringify(toJson(ReadMemoryResponseSchema, memory)));
      return exit.ok;
    }
    const { entries, facts, repository, commit } = memory;
    if (entries.length === 0 && repository === '') out.note(`there is no memory ${oneLine(memoryId)}`);
    const head = (title: string): string => out.paint('bold', title);
    if (repository !== '') out.print(`repository ${oneLine(repository)}, commit ${oneLine(commit)}`);
    if (facts.length > 0) {
      const columns = [
        { title: 'FACT', value: (fact: (typeof facts)[number]) => oneLine(fact.text), least: 20 },
        { title: 'ENTRY', value: (fact: (typeof facts)[number]) => String(fact.number), align: 'right' as const },
        { title: 'SAID', value: (fact: (typeof facts)[number]) => timeOf(fact.ts) },
      ];
      out.print(...table(columns, facts, out.width, head));
    }
    for (const { number, role, content, ts } of entries)
      out.print('', out.paint('dim', `${number} ${role}, ${timeOf(ts)}`), visible(content));
    return entries.length === 0 && repository === '' ? exit.notFound : exit.ok;
  },
};

/** All pages as one. */
async function readAll(engine: EngineClient, memoryId: string, tenantId: string): Promise<ReadMemoryResponse> {
  const all = await engine.readMemory({ memoryId, tenantId });
  while (all.more) {
    const page = await engine.readMemory({ memoryId, tenantId, from: (all.entries.at(-1)?.number ?? 0n) + 1n });
    all.entries.push(...page.entries);
    all.more = page.more && page.entries.length > 0;
  }
  return all;
}

function timeOf(seconds: bigint): string {
  return new Date(Number(seconds) * 1_000).toISOString().slice(0, 16).replace('T', ' ');
}

export const contextNote: Command = {
  name: 'context note',
  summary: 'write a fact into a memory',
  operands: ['MEMORY', 'TEXT'],
  options: engineOptions,
  notes: ['It stands there as it is, and comes into windows when it bears on what is asked.'],
  examples: [['context note chat:ann "Invoices go to Ann"', 'a fact']],
  async run(context) {
    const { args, sources } = context;
    const text = await readText('TEXT', args.operand(1) ?? '', sources);
    await askEngine(context, (engine) => {
      return engine.updateMemory({
        memoryId: memoryNamed(args.operand(0)),
        tenantId: args.text('tenant') ?? '',
        facts: [text],
      });
    });
    return exit.ok;
  },
};

export const contextForget: Command = {
  name: 'context forget',
  summary: 'take a memory away',
  operands: ['MEMORY'],
  options: engineOptions,
  notes: ['What jobs have stored of the same words in their payloads and results goes when those go.'],
  examples: [['context forget chat:ann', 'a memory']],
  async run(context) {
    const { args, out } = context;
    const memoryId = memoryNamed(args.operand(0));
    const { forgotten } = await askEngine(context, (engine) => {
      return engine.forgetMemory({ memoryId, tenantId: args.text('tenant') ?? '' });
    });
    if (!forgotten) throw new Stop(`there is no memory ${oneLine(memoryId)}`, exit.notFound);
    out.note(`forgotten: ${oneLine(memoryId)}`);
    return exit.ok;
  },
};

/** An engine takes no name for none, and remembers nothing. */
function memoryNamed(memory: string | undefined): string {
  if (memory === undefined || memory === '') throw new Stop('MEMORY: is empty', exit.usage);
  return memory;
}
