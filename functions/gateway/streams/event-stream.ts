// Text that comes over time as the body of an answer: pulled by whoever reads, so that a slow reader holds one piece and no more.
import type { Clock } from '#core/system.ts';
import type { Lease } from './leases.ts';

/** How long a piece may wait to be taken, ms. */
const stallMs = 30_000;

/** The body. It ends with the text, or by the lease; the lease is released when it is over, however. */
export function eventStream(text: AsyncGenerator<string>, lease: Lease, clock: Clock): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let over = false;
  let cancelStall = (): void => undefined;
  const stalled = (): void => lease.end('slow');
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        cancelStall = clock.after(stallMs, stalled);
        // By then it has had the time for a last word.
        lease.onRelease(() => {
          cancelStall();
          if (!over) controller.error(new Error(`the stream has ended: ${lease.ended}`));
          over = true;
        });
      },
      async pull(controller) {
        cancelStall();
        const next = await text.next();
        if (over) return;
        if (next.done === true) {
          over = true;
          controller.close();
          lease.release();
          return;
        }
        controller.enqueue(encoder.encode(next.value));
        cancelStall = clock.after(stallMs, stalled);
      },
      cancel() {
        over = true;
        lease.end('client');
      },
    },
    { highWaterMark: 0 },
  );
}
