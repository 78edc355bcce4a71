// A thread that goes on talking after its handler has returned: `late` says so until the thread ends, `listen` waits for that to be heard.
import { serveThread } from '../../../services/worker/thread-main.ts';

interface Input {
  readonly do: 'late' | 'listen';
}

const state = { said: 0 };

serveThread<Input>(async (input, { artifact, progress, log }) => {
  if (input.do === 'late') {
    setInterval(() => {
      progress(99, 'a secret');
      log.info('a secret');
      void artifact('leak', new TextEncoder().encode('a secret'));
      state.said++;
    }, 5);
    return 'returned';
  }
  const before = state.said;
  progress(1, 'mine');
  while (state.said < before + 5) await new Promise((resolve) => setTimeout(resolve, 5));
  return state.said - before;
});
