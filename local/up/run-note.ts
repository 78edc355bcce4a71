// Keeps .cortex/run.json true while the system runs: the CLI, a second start and the start after a kill
// read it. Written whole at every change.
import { rmSync } from 'node:fs';
import { type NotedChild, type RunNote, runFile, writeRun } from '../bootstrap/checkout.mjs';
import { identify } from '../bootstrap/process.mjs';

type Change = Partial<Pick<RunNote, 'state' | 'urls' | 'health' | 'nats' | 'nats_ws' | 'redis' | 'local_roots'>>;

export interface RunNoteWriter {
  set(change: Change): void;
  /** Notes a child, in place of the one of the same name before it. */
  child(name: string, pid: number, withCommand: boolean): void;
  remove(): void;
}

export function createRunNote(root: string, startedAt: string): RunNoteWriter {
  const me = identify(process.pid);
  if (me === undefined) throw new Error('this process cannot be found in the process table');
  let note: RunNote = {
    ...me,
    started_at: startedAt,
    state: 'starting',
    urls: {},
    health: {},
    nats: '',
    nats_ws: '',
    redis: '',
    children: [],
  };
  const write = () => writeRun(root, note);
  write();
  return {
    set(change) {
      note = { ...note, ...change };
      write();
    },
    child(name, pid, withCommand) {
      const found = identify(pid);
      if (found === undefined) return; // it has ended already
      const child: NotedChild = withCommand ? { name, ...found } : { name, pid, startTime: found.startTime };
      const at = note.children.findIndex((other) => other.name === name);
      const children = at < 0 ? [...note.children, child] : note.children.with(at, child);
      note = { ...note, children };
      write();
    },
    remove: () => rmSync(runFile(root), { force: true }),
  };
}
