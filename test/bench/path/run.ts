// `npm run bench -- path`: what a job costs from submission to visible result, ours and BullMQ in turn, on servers with the same
// settings. Rounds alternate (A B A B), so that a slow minute of the machine meets both.
import { availableParallelism, loadavg } from 'node:os';
import { type Figures, measure } from './measure.ts';
import { help, parsePathOptions, type PathOptions } from './options.ts';
import { profilePath } from './profile.ts';
import { reportMode, reportProcesses, systemNames, totalMicros } from './report.ts';
import type { SystemName } from './stage.ts';

export async function benchPath(args: readonly string[]): Promise<void> {
  const options = parsePathOptions(args);
  if (options === undefined) {
    console.log(help);
    return;
  }
  console.log(describe(options));
  if (options.profile) return profilePath(options);
  const all: Figures[] = [];
  const systems: readonly SystemName[] = options.peer ? ['cortex', 'bullmq'] : ['cortex'];
  for (let round = 1; round <= options.rounds; round++) {
    for (const door of options.doors) {
      for (const system of systems) {
        for (const figures of await measure(system, door, options)) {
          all.push(figures);
          console.log(progress(round, figures));
        }
      }
    }
  }
  for (const door of options.doors) {
    for (const mode of options.modes) console.log(`\n${reportMode(all, door, mode)}`);
  }
  console.log(`\n${reportProcesses(all)}`);
  if (options.json) console.log(`\n${JSON.stringify({ options, figures: all })}`);
}

function describe({ jobs, warmup, rounds, outstanding, appendfsync, peerConcurrency, peer }: PathOptions): string {
  const lines = [
    `Node ${process.versions.node}, ${availableParallelism()} cores, load before ${loadavg()[0]?.toFixed(1)}`,
    `${rounds} rounds of ${jobs} jobs a phase after ${warmup} to warm up, ${outstanding} outstanding`,
    `Redis: appendonly yes, appendfsync ${appendfsync}, no rewrite of the log; the same for everybody, fresh for each run`,
    'ours: gateway, safety, scheduler, worker (echo), nats-server, redis-server, as shipped; every job passes the gate',
  ];
  if (peer) {
    lines.push(
      `BullMQ: worker (concurrency ${peerConcurrency}), redis-server; over HTTP also a Hono route. No gate, keys, limits or metrics`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function progress(round: number, figures: Figures): string {
  const { system, door, mode, jobsPerSecond } = figures;
  const rate = `${Math.round(jobsPerSecond)} jobs/s, ${Math.round(totalMicros(figures))} us/job`;
  return `round ${round}  ${systemNames[system]} ${door} ${mode}: ${rate}`;
}
