// A thread that does what its input says: everything that a handler's thread can do or suffer.
import { CortexError } from '#core/errors.ts';
import { serveThread } from '../../../services/worker/thread-main.ts';

interface Input {
  readonly do: 'answer' | 'fail' | 'surprise' | 'exit' | 'throw later' | 'wait' | 'artifact' | 'uncloneable' | 'fill';
}

serveThread<Input>(async (input, context) => {
  const { signal } = context;
  switch (input.do) {
    case 'answer':
      context.progress(50, 'half');
      context.output('in part');
      context.log.info('working', { error: new CortexError('internal', 'shown') });
      return { job: context.job, fence: context.fence, constraints: context.constraints, worker: context.worker };
    case 'fail':
      throw new CortexError('resource_exhausted', 'too much', { field: 'size' });
    case 'surprise':
      throw new TypeError('unforeseen');
    case 'exit':
      process.exit(3);
    // oxlint-disable-next-line no-fallthrough -- it does not
    case 'throw later':
      setImmediate(() => {
        throw new RangeError('nobody catches this');
      });
      return new Promise(() => undefined);
    case 'wait':
      context.progress(1, 'waiting');
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    case 'artifact':
      return context.artifact('list', new TextEncoder().encode('a,b'));
    case 'uncloneable':
      return () => 1;
    case 'fill': {
      const all: number[][] = [];
      for (;;) all.push(Array.from({ length: 100_000 }, (_, i) => i));
    }
  }
});
