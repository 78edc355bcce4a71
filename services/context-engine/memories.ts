// Memories as the engine works with them: read once, and from then on only what is new.
import { CortexError } from '#core/errors.ts';
import type { Bound, MemoryLog, MemoryName } from '#core/context/memory/log.ts';
import { createRecall, type Recall } from '#core/context/memory/recall.ts';
import { createLru } from './lru.ts';

export interface OpenMemory {
  readonly recall: Recall;
  readonly bound: Bound | undefined;
  readonly epoch: string;
  /** Number of the oldest entry that is left. */
  readonly first: number;
  /** Number of the entry that comes next. */
  readonly next: number;
}

export interface Memories {
  /** The memory as it is now; an empty one where there is none. */
  open(name: MemoryName): Promise<OpenMemory>;
}

interface Kept {
  readonly epoch: string;
  /** Number of its oldest entry. */
  readonly first: number;
  readonly recall: Recall;
}

/** Bytes that all memories at hand take together, about. */
const maxWeight = 256 * 2 ** 20;
/** A memory that is written to while it is read may lose its beginning meanwhile. */
const attempts = 5;

/** `log`: where they are. */
export function createMemories(log: Pick<MemoryLog, 'read'>): Memories {
  const cache = createLru<string, Kept>(maxWeight);
  /** Two that open one memory at once must not both add to it. */
  const opening = new Map<string, Promise<OpenMemory | undefined>>();

  async function read(name: MemoryName, key: string): Promise<OpenMemory> {
    let kept = cache.get(key);
    for (let attempt = 0; ; attempt++) {
      const open = await goOn(name, kept);
      if (open !== undefined) {
        if (open.kept.epoch === '') cache.delete(key);
        else cache.set(key, open.kept, open.kept.recall.bytes);
        return { ...open.kept, bound: open.bound, next: nextOf(open.kept) };
      }
      cache.delete(key);
      kept = undefined;
      if (attempt === attempts) throw new CortexError('unavailable', 'the memory changes faster than it can be read');
    }
  }

  /** What came since; undefined: it is another memory than the one that was kept, or its beginning was let go. */
  async function goOn(name: MemoryName, before: Kept | undefined) {
    let kept = before;
    for (;;) {
      const page = await log.read({ ...name, from: nextOf(kept) });
      kept ??= { epoch: page.epoch, first: page.first, recall: createRecall() };
      // What its words weigh depends on all of them, so a beginning that was let go changes the rest.
      if (page.epoch !== kept.epoch || page.first !== kept.first) return undefined;
      kept.recall.add(page.entries);
      if (!page.more) return { kept, bound: page.bound };
    }
  }

  return {
    open(name) {
      const key = `${name.tenant}:${name.memory}`;
      const now = behind(opening.get(key), () => read(name, key));
      const settled = now
        .catch(() => undefined)
        .finally(() => {
          if (opening.get(key) === settled) opening.delete(key);
        });
      opening.set(key, settled);
      return now;
    },
  };
}

/** Whoever comes later sees what was written before it came, so it reads again. */
async function behind<T>(before: Promise<unknown> | undefined, work: () => Promise<T>): Promise<T> {
  await before;
  return work();
}

function nextOf(kept: Kept | undefined): number {
  const last = kept?.recall.entries.at(-1);
  return last === undefined ? (kept?.first ?? 0) : last.number + 1;
}
