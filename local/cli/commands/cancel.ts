// cortex cancel: ends a job that has not ended. One that had is an error, unless it was CANCELLED already.
import { type Command, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { cancelled, jobPath } from '../job.ts';
import { paintState } from '../show-job.ts';
import { oneLine } from '../text.ts';

export const cancel: Command = {
  name: 'cancel',
  summary: 'cancel a job',
  operands: ['ID'],
  options: { ...gatewayOptions },
  notes: ['The exit code is 0 when the job is CANCELLED now, 4 when it had ended otherwise before.'],
  async run(context) {
    const { args, out } = context;
    const id = args.operand(0) ?? '';
    const call = { method: 'POST', path: `${jobPath(id)}/cancel`, schema: cancelled } as const;
    const { text, value } = await context.client().call(call);
    const late = value.state !== 'CANCELLED';
    if (args.flag('json')) out.json(text);
    else if (!late) out.print(`job ${oneLine(value.id)} ${paintState(out, oneLine(value.state))}`);
    if (late) out.note(`job ${oneLine(value.id)} was not cancelled: it had ended before, ${oneLine(value.state)}`);
    return late ? exit.refused : exit.ok;
  },
};
