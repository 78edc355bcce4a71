// Reads what `node --cpu-prof` wrote and says where a process spent its time between two moments. Shares of samples, not times of a
// clock: a process that waits for a core is sampled as well, so the shares are scaled to the CPU time that /proc counted.
import { readFileSync } from 'node:fs';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface RawProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds of the monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Shares of the busy samples, 0 to 1, largest first. */
export interface Shares {
  /** By file of ours, with what it calls in packages, in Node and in native code; where none is on the stack, by package. */
  readonly byFile: readonly (readonly [name: string, share: number])[];
  /** By function alone, without what it calls. */
  readonly byFunction: readonly (readonly [name: string, share: number])[];
  readonly samples: number;
}

/** Microseconds of the clock that profiles use. */
export const monotonicMicros = (): number => Number(process.hrtime.bigint() / 1000n);

/** Between two samples. */
export const intervalMicros = 500;

/** `from` and `to` in monotonicMicros. Throws RangeError when the profile has no busy sample between them. */
export function readProfile(path: string, root: string, from: number, to: number): Shares {
  const raw = JSON.parse(readFileSync(path, 'utf8')) as RawProfile;
  const nodes = new Map(raw.nodes.map((node) => [node.id, node]));
  const parents = new Map(raw.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const places = new Map<number, Place>();
  /** The nearest file of ours on the stack answers for what runs below it; without one the nearest package does. */
  const answering = (id: number): Place => {
    const known = places.get(id);
    if (known !== undefined) return known;
    const own = placeOf(nodes.get(id) as ProfileNode, root);
    const parent = parents.get(id);
    const above = parent === undefined ? nowhere : answering(parent);
    const place = own.rank >= above.rank ? own : above;
    places.set(id, place);
    return place;
  };

  const byFile = new Map<string, number>();
  const byFunction = new Map<string, number>();
  let at = raw.startTime;
  let samples = 0;
  for (const [i, id] of raw.samples.entries()) {
    const delta = raw.timeDeltas[i] ?? 0;
    at += delta;
    const node = nodes.get(id);
    if (node === undefined || at < from || at > to || node.callFrame.functionName === '(idle)') continue;
    // A late sample: the process was waiting for a core. That happens most often where it has just woken another one, in a write,
    // which would then look expensive.
    if (delta > intervalMicros * 1.5) continue;
    samples++;
    const file = answering(id).name || node.callFrame.functionName;
    byFile.set(file, (byFile.get(file) ?? 0) + 1);
    const own = placeOf(node, root);
    const line = own === nowhere ? '' : `  ${own.name}:${node.callFrame.lineNumber + 1}`;
    const name = `${node.callFrame.functionName || '(anonymous)'}${line}`;
    byFunction.set(name, (byFunction.get(name) ?? 0) + 1);
  }
  if (samples === 0) throw new RangeError(`${path} has no samples of that time`);
  const shares = (counts: ReadonlyMap<string, number>) =>
    Array.from(counts, ([name, n]) => [name, n / samples] as const).sort((a, b) => b[1] - a[1]);
  return { byFile: shares(byFile), byFunction: shares(byFunction), samples };
}

interface Place {
  readonly name: string;
  /** 3 a file of ours, 2 a package, 1 Node's own, 0 the profiler's own names and native functions. */
  readonly rank: number;
}

const nowhere: Place = { name: '', rank: 0 };

function placeOf({ callFrame: { url } }: ProfileNode, root: string): Place {
  if (url === '') return nowhere;
  if (url.startsWith('node:')) return { name: url, rank: 1 };
  const path = url.replace(/^file:\/\//, '');
  const module = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
  if (module !== undefined) return { name: module, rank: 2 };
  return path.startsWith(root) ? { name: path.slice(root.length), rank: 3 } : { name: path, rank: 2 };
}
