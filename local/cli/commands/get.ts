// cortex get: one job in full; its state is the exit code.
import { type Command, gatewayOptions } from '../command.ts';
import { exitOfState } from '../exit.ts';
import { follow } from '../follow.ts';
import { jobDetail, jobPath } from '../job.ts';
import { showJob } from '../show-job.ts';

export const get: Command = {
  name: 'get',
  summary: 'show a job and its result',
  operands: ['ID'],
  options: {
    wait: { kind: 'wait', value: 'SECONDS', help: 'wait for its end, or that long' },
    ...gatewayOptions,
  },
  notes: ['The exit code is that of the state, with or without --wait: see cortex help.'],
  examples: [['get 0199f0c2-... --wait=30', 'wait for half a minute at most']],
  async run(context) {
    const { args, out } = context;
    const id = args.operand(0) ?? '';
    const client = context.client();
    const seconds = args.wait('wait');
    if (seconds !== undefined) return follow(context, client, id, seconds, showJob);
    const { text, value: job } = await client.call({ path: jobPath(id), schema: jobDetail });
    if (args.flag('json')) out.json(text);
    else showJob(job, out);
    return exitOfState(job.state);
  },
};
