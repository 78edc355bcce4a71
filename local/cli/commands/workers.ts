// cortex workers: who is there to do the work, and how busy.
import { type Command, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { type Worker, workerList } from '../job.ts';
import { type Column, table } from '../table.ts';
import { age, oneLine } from '../text.ts';

export const workers: Command = {
  name: 'workers',
  summary: 'list the workers that are alive',
  operands: [],
  options: { ...gatewayOptions },
  async run(context) {
    const { args, out, now } = context;
    const { text, value } = await context.client().call({ path: '/api/v1/workers', schema: workerList });
    if (args.flag('json')) {
      out.json(text);
      return exit.ok;
    }
    const columns: readonly Column<Worker>[] = [
      { title: 'WORKER', value: (worker) => oneLine(worker.worker_id), least: 16 },
      { title: 'POOL', value: (worker) => oneLine(worker.pool), least: 10 },
      { title: 'BUSY', value: busy, align: 'right' },
      { title: 'CPU', value: (worker) => `${Math.round(worker.cpu_load)}%`, align: 'right', spare: 3 },
      { title: 'SEEN', value: (worker) => seen(worker, now()), align: 'right' },
      { title: 'TOPICS', value: topics, least: 14, spare: 1 },
      { title: 'REGION', value: (worker) => oneLine(worker.region), spare: 2 },
    ];
    if (value.length === 0) out.note('no workers: jobs wait until one arrives');
    else out.print(...table(columns, value, out.width, (title) => out.paint('bold', title)));
    return exit.ok;
  },
};

function busy({ active_jobs: active, max_parallel_jobs: most }: Worker): string {
  return most === 0 ? String(active) : `${active}/${most}`;
}

function seen({ last_seen: last }: Worker, now: number): string {
  const time = Date.parse(last);
  return Number.isNaN(time) ? '' : age(now - time);
}

/** Workers of ours name their topics; of others we know what they say they can do. */
function topics({ labels, capabilities }: Worker): string {
  return oneLine(labels['cortex.topics']?.replaceAll(',', ', ') ?? capabilities.join(', '));
}
