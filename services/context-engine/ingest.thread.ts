// The thread that reads repositories: one archive at a time. First it says what there is, then it packs the files that are asked for.
import { parentPort } from 'node:worker_threads';
import { loadOutliner } from '#core/context/repo/grammars.node.ts';
import type { Outliner } from '#core/context/repo/outline.ts';
import { packThrown } from '../worker/thrown.ts';
import { indexArchive } from './index-archive.ts';
import type { FromIngest, ToIngest } from './ingest.ts';
import { packFile } from './pack.ts';

const port = parentPort;
if (port === null) throw new Error('this module is a thread of the context engine and cannot be run by itself');
const say = (word: FromIngest): void => port.postMessage(word);

let outliner: Promise<Outliner> | undefined;
let contents: ReadonlyMap<string, Uint8Array> = new Map();

port.on('message', (message: ToIngest) => {
  switch (message.type) {
    case 'index': {
      const { archive, old } = message;
      outliner ??= loadOutliner();
      outliner
        .then((ready) => indexArchive(archive, old, ready))
        .then(
          ({ contents: files, ...indexed }) => {
            contents = files;
            say({ type: 'indexed', ...indexed, prints: [...files.keys()] });
          },
          (error: unknown) => say({ type: 'failed', error: packThrown(error) }),
        );
      break;
    }
    case 'pack': {
      const files = message.prints.flatMap((print) => {
        const bytes = contents.get(print);
        return bytes === undefined ? [] : [{ print, bytes: packFile(bytes) }];
      });
      say({ type: 'packed', files });
      break;
    }
    case 'done':
      contents = new Map();
      break;
  }
});
