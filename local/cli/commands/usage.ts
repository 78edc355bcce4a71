// cortex usage: what the tenant's jobs asked of models, by day and model, and what it cost.
import { z } from 'zod';
import { type Command, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { type Column, table } from '../table.ts';
import { number, oneLine } from '../text.ts';

const sums = {
  requests: z.number(),
  unmetered_requests: z.number(),
  unpriced_requests: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  cost: z.number().nullable(),
};
const item = z.object({ date: z.string(), model: z.string(), ...sums });
const report = z.object({ from: z.string(), to: z.string(), items: z.array(item), totals: z.object(sums) });
type Row = z.infer<typeof item>;

export const usage: Command = {
  name: 'usage',
  summary: 'show what models took: requests, tokens, cost',
  operands: [],
  options: {
    from: { kind: 'text', value: 'DAY', help: 'the first day, such as 2026-01-31 (UTC); 30 days without it' },
    to: { kind: 'text', value: 'DAY', help: 'the last day; today without it' },
    model: { kind: 'text', value: 'NAME', help: 'of this model alone' },
    ...gatewayOptions,
  },
  notes: [
    'Every request counts, also of attempts that failed. UNMETERED ones went out, and nobody told what they took; of UNPRICED ones the tokens are known and a price is not. The cost is that of the others, in US dollars.',
  ],
  examples: [['usage --from 2026-01-01 --to 2026-01-31', 'a month']],
  async run(context) {
    const { args, out } = context;
    const query = { from: args.text('from'), to: args.text('to'), model: args.text('model') };
    const { text, value } = await context.client().call({ path: '/api/v1/usage', query, schema: report });
    if (args.flag('json')) out.json(text);
    else if (value.items.length === 0) out.note(`no requests to models from ${value.from} to ${value.to}`);
    else {
      const total: Row = { date: 'total', model: '', ...value.totals };
      out.print(...table(columns, [...value.items, total], out.width, (title) => out.paint('bold', title)));
    }
    return exit.ok;
  },
};

const some = (count: number): string => (count === 0 ? '' : number(count));

const columns: readonly Column<Row>[] = [
  { title: 'DATE', value: (row) => oneLine(row.date) },
  { title: 'MODEL', value: (row) => oneLine(row.model), least: 10 },
  { title: 'REQUESTS', value: (row) => number(row.requests), align: 'right' },
  { title: 'INPUT', value: (row) => number(row.input_tokens), align: 'right' },
  { title: 'OUTPUT', value: (row) => number(row.output_tokens), align: 'right' },
  { title: 'COST', value: (row) => dollars(row.cost), align: 'right' },
  { title: 'UNMETERED', value: (row) => some(row.unmetered_requests), align: 'right', spare: 1 },
  { title: 'UNPRICED', value: (row) => some(row.unpriced_requests), align: 'right', spare: 2 },
];

/** With cents, and with as many digits more as are needed to see something: `$12.50`, `$0.000162`. */
function dollars(cost: number | null): string {
  if (cost === null) return 'unknown';
  if (cost === 0 || cost >= 1) return `$${cost.toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ',')}`;
  return `$${cost.toFixed(9).replace(/0{1,7}$/, '')}`;
}
