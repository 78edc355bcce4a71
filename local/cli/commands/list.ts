// cortex list: the newest jobs of the tenant, a page at a time.
import { states } from '#core/jobs/state.ts';
import { type Args, usageError } from '../args.ts';
import { type Command, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { jobPage } from '../job.ts';
import { shellWord } from '../shell.ts';
import { jobTable } from '../show-job.ts';

const defaultLimit = 20;

export const list: Command = {
  name: 'list',
  summary: 'list jobs, newest first',
  operands: [],
  options: {
    state: { kind: 'text', value: 'STATE', oneOf: states, help: 'only jobs in this state' },
    topic: { kind: 'text', value: 'TOPIC', help: 'only jobs of this topic' },
    trace: { kind: 'text', value: 'ID', help: 'only jobs of this trace' },
    'updated-after': { kind: 'text', value: 'TIME', help: 'a time such as 2026-01-31T12:00, or 10m, 2h, 3d ago' },
    'updated-before': { kind: 'text', value: 'TIME', help: 'the same, for the other end' },
    limit: { kind: 'count', value: 'N', help: `jobs on one page; ${defaultLimit} without it` },
    cursor: { kind: 'text', value: 'CURSOR', help: 'go on where a page ended' },
    ...gatewayOptions,
  },
  examples: [['list --state failed --updated-after 1h', 'what went wrong in the last hour']],
  async run(context) {
    const { args, out, now, command } = context;
    const query = {
      limit: args.count('limit') ?? defaultLimit,
      cursor: args.text('cursor'),
      state: args.text('state'),
      topic: args.text('topic'),
      trace_id: args.text('trace'),
      updated_after: readTime(args, 'updated-after', now()),
      updated_before: readTime(args, 'updated-before', now()),
    };
    const { text, value } = await context.client().call({ path: '/api/v1/jobs', query, schema: jobPage });
    if (args.flag('json')) {
      out.json(text);
      return exit.ok;
    }
    const { items, next_cursor: next } = value;
    if (items.length === 0) out.note('no jobs');
    else out.print(...jobTable(items, out, now()));
    if (next !== null && next !== undefined)
      out.note(`more: ${command(`list ${again(args)}--cursor ${shellWord(next)}`)}`);
    return exit.ok;
  },
};

/** The filters of this page, as they were typed. */
function again(args: Args): string {
  const typed = [
    'state',
    'topic',
    'trace',
    'updated-after',
    'updated-before',
    'limit',
    'tenant',
    'gateway',
    'key-file',
  ];
  const given = typed.flatMap((name) => {
    const text = args.text(name);
    return text === undefined ? [] : [`--${name} ${shellWord(text)} `];
  });
  return given.join('');
}

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Unix seconds of a time: seconds as they are, `10m` ago, or a date as ISO 8601 writes it. */
function readTime(args: Args, name: string, now: number): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return Math.max(0, Math.floor(now / 1_000) - Number(ago[1]) * (seconds[ago[2] ?? ''] ?? 1));
  if (/^\d{1,12}$/.test(text)) return Number(text);
  const time = /^\d{4}-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return Math.floor(time / 1_000);
  throw usageError(
    'list',
    `--${name}: ${JSON.stringify(text)} is no time such as 2026-01-31T12:00, or 10m, 2h, 3d ago`,
  );
}
