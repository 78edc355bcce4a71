// A thread that computes without a pause: `ms` of the input long, or for ever.
import { serveThread } from '../../../services/worker/thread-main.ts';

interface Input {
  readonly ms?: number;
}

serveThread<Input>(({ ms = Number.POSITIVE_INFINITY }, { progress }) => {
  progress(1, 'spinning');
  const until = performance.now() + ms;
  let turns = 0;
  while (performance.now() < until) turns++;
  return { turns };
});
