// The load generator as a process of its own: connects once, then does one phase after the other as it is told over IPC.
import type { Target } from './clients/client.ts';
import { connectClient } from './clients/connect.ts';
import type { Order, Phase, Reply } from './generator.ts';

const target = JSON.parse(process.env['BENCH_TARGET'] ?? '') as Target;
const client = await connectClient(target);
let unverified: string[] = [];

/** `n` pieces of work, `outstanding` at a time. */
async function lanes(n: number, outstanding: number, work: (lane: number) => Promise<void>): Promise<void> {
  let begun = 0;
  const lane = async (index: number): Promise<void> => {
    while (begun < n) {
      begun++;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(n, outstanding) }, (_, i) => lane(i)));
}

async function closed({ jobs, outstanding }: Order): Promise<Phase> {
  const ids: string[] = [];
  const latencies: number[] = [];
  const began = performance.now();
  await lanes(jobs, outstanding, async (lane) => {
    const at = performance.now();
    ids.push(await client.roundTrip(lane));
    latencies.push(performance.now() - at);
  });
  const ms = performance.now() - began;
  unverified = ids;
  return { ms, latencies };
}

async function drain({ jobs, outstanding, timeoutMs }: Order): Promise<Phase> {
  const ids: string[] = [];
  const began = performance.now();
  await lanes(jobs, outstanding, async (lane) => void ids.push(await client.submit(lane)));
  await client.done(ids, AbortSignal.timeout(timeoutMs));
  const ms = performance.now() - began;
  unverified = ids;
  return { ms, latencies: [] };
}

async function obey(order: Order): Promise<Reply> {
  switch (order.do) {
    case 'closed':
      return { phase: await closed(order) };
    case 'drain':
      return { phase: await drain(order) };
    case 'verify':
      await client.verify(unverified);
      return {};
    case 'close':
      await client.close();
      return {};
  }
}

const send = (reply: Reply): void => void process.send?.(reply);
process.on('message', (order: Order) => {
  obey(order).then(send, (error: unknown) =>
    send({ error: error instanceof Error ? (error.stack ?? '') : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
send({});
