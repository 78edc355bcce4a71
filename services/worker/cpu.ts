// The machine's CPU load as heartbeats tell it: the share of time that its cores were busy since the last question.
import { cpus } from 'node:os';

interface Times {
  readonly busy: number;
  readonly total: number;
}

function times(): Times {
  let busy = 0;
  let total = 0;
  for (const { times: t } of cpus()) {
    const all = t.user + t.nice + t.sys + t.idle + t.irq;
    busy += all - t.idle;
    total += all;
  }
  return { busy, total };
}

/** Answers percent, 0 to 100, since the call before; the first call since this function was made, or since boot if that is too short. */
export function createCpuLoad(): () => number {
  let last: Times = { busy: 0, total: 0 };
  let load = 0;
  return () => {
    const now = times();
    // The kernel counts in ticks of 10 ms: over less than some of them the share would be noise.
    if (now.total - last.total >= 100) {
      load = Math.round((1000 * (now.busy - last.busy)) / (now.total - last.total)) / 10;
      last = now;
    }
    return load;
  };
}
