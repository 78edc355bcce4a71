// cortex watch: what happens, as it happens; of one job until its end, or of all jobs of the tenant.
import { type Command, gatewayOptions } from '../command.ts';
import { watchJob } from '../watch-job.ts';
import { watchStream } from '../watch-stream.ts';

export const watch: Command = {
  name: 'watch',
  summary: 'follow one job to its end, or all jobs',
  operands: ['[ID]'],
  options: {
    cursor: { kind: 'text', value: 'CURSOR', help: 'go on behind this position; 0: from the oldest that is kept' },
    ...gatewayOptions,
    json: { kind: 'flag', help: 'print each event as a line of JSON' },
  },
  notes: [
    'With an ID: a line per step of that job, until it ends; the exit code is that of its state. Without: a line per submission and per end of any job of the tenant, until Ctrl-C.',
    'A connection that breaks is opened again behind what was seen, at whichever gateway answers there.',
  ],
  examples: [
    ['watch', 'all that is submitted and that ends'],
    ['watch 0199f0c2-...', 'one job until its end'],
  ],
  run(context) {
    const id = context.args.operand(0);
    return id === undefined ? watchStream(context, context.client()) : watchJob(context, context.client(), id);
  },
};
