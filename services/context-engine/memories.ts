// Memories as the engine works with them: read once, and from then on only what is new.
import type { Bound, MemoryLog, MemoryName } from '#core/context/memory/log.ts';
import { createRecall, type Recall } from '#core/context/memory/recall.ts';
import { createLru } from './lru.ts';

export interface OpenMemory {
  readonly recall: Recall;
  readonly bound: Bound | undefined;
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
  weight: number;
}

/** Bytes of the entries that are kept at hand, about: an index of words is a few times as large. */
const maxWeight = 64 * 2 ** 20;

/** `log`: where they are. */
export function createMemories(log: Pick<MemoryLog, 'read'>): Memories {
  const cache = createLru<string, Kept>(maxWeight);
  /** Two that open one memory at once must not both add to it. */
  const opening = new Map<string, Promise<OpenMemory | undefined>>();

  async function read(name: MemoryName, key: string): Promise<OpenMemory> {
    let kept = cache.get(key);
    let page = await log.read({ ...name, from: nextOf(kept) });
    // Another memory under the same name, or its beginning was let go, which changes what its words weigh.
    if (kept !== undefined && (page.epoch !== kept.epoch || page.first !== kept.first)) {
      kept = undefined;
      page = await log.read({ ...name, from: 0 });
    }
    kept ??= { epoch: page.epoch, first: page.first, recall: createRecall(), weight: 0 };
    for (;;) {
      kept.recall.add(page.entries);
      kept.weight += page.entries.reduce((sum, { content }) => sum + 200 + 2 * content.length, 0);
      if (!page.more) break;
      page = await log.read({ ...name, from: nextOf(kept) });
    }
    if (page.epoch === '') cache.delete(key);
    else cache.set(key, kept, kept.weight);
    return { recall: kept.recall, bound: page.bound, next: nextOf(kept) };
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
