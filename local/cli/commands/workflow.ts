// cortex workflow, signal, rerun: how a run of a workflow goes, a word for it, and once more from a step.
import { type Command, gatewayOptions } from '../command.ts';
import { exit, exitOfState } from '../exit.ts';
import { readJsonOption } from '../files.ts';
import { rerun as rerunAnswer, runDetail, runPath, showRun, signalled } from '../run.ts';
import { oneLine } from '../text.ts';

export const workflow: Command = {
  name: 'workflow',
  summary: 'show the steps of a run of a workflow, and what it waits for',
  operands: ['ID'],
  options: { ...gatewayOptions },
  notes: ['The exit code is that of the state: see cortex help.'],
  async run(context) {
    const { args, out } = context;
    const { text, value } = await context.client().call({ path: runPath(args.operand(0) ?? ''), schema: runDetail });
    if (args.flag('json')) out.json(text);
    else showRun(value, out);
    return exitOfState(value.state);
  },
};

export const signal: Command = {
  name: 'signal',
  summary: 'send a signal to a run of a workflow',
  operands: ['ID', 'NAME', '[JSON]'],
  options: {
    'idempotency-key': { kind: 'text', value: 'KEY', help: 'the same key twice is one signal' },
    ...gatewayOptions,
  },
  notes: [
    'The value is JSON, @FILE, or - for stdin; without one it is null.',
    'The signal `stop` stops the run: what is under way is dropped, and what was done is undone.',
  ],
  examples: [[`signal 0199f0c2-... approve '{"by":"ann"}'`, 'what the run waits for']],
  async run(context) {
    const { args, out, sources } = context;
    const [id, name] = [args.operand(0) ?? '', args.operand(1) ?? ''];
    const body = await readJsonOption('JSON', args.operand(2) ?? 'null', sources);
    const path = `${runPath(id)}/signals/${encodeURIComponent(name)}`;
    const headers = { 'Idempotency-Key': args.text('idempotency-key') };
    const { text, value } = await context.client().call({ method: 'POST', path, body, headers, schema: signalled });
    if (args.flag('json')) out.json(text);
    else out.print(`run ${oneLine(value.id)} has the signal ${oneLine(value.signal)}`);
    return exit.ok;
  },
};

export const rerun: Command = {
  name: 'rerun',
  summary: 'run a workflow again from a step; what succeeded before is kept',
  operands: ['ID'],
  options: {
    from: {
      kind: 'text',
      value: 'STEP',
      help: 'do this step again, and all that followed it; default: the first that did not succeed',
    },
    'idempotency-key': { kind: 'text', value: 'KEY', help: 'the same key twice is one rerun' },
    ...gatewayOptions,
  },
  async run(context) {
    const { args, out, command } = context;
    const body = { from: args.text('from') ?? '' };
    const path = `${runPath(args.operand(0) ?? '')}/rerun`;
    const headers = { 'Idempotency-Key': args.text('idempotency-key') };
    const { text, value } = await context.client().call({ method: 'POST', path, body, headers, schema: rerunAnswer });
    if (args.flag('json')) out.json(text);
    else {
      out.print(
        `job   ${oneLine(value.job_id)}`,
        `kept  ${value.kept.length === 0 ? 'nothing' : oneLine(value.kept.join(' '))}`,
      );
      out.note(`how it goes: ${command(`workflow ${value.job_id}`)}`);
    }
    return exit.ok;
  },
};
