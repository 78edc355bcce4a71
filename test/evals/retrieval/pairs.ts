// What is asked and what is right: the changelog lines of a version, and the source files that differ from the version before.
import type { Change } from '#core/context/repo/repo-index.ts';
import { readVersion } from './archives.ts';
import { changesByVersion } from './changelog.ts';
import type { PinnedPackage } from './packages.ts';

export interface Pair {
  readonly name: string;
  /** The version before, which is searched. */
  readonly version: string;
  readonly text: string;
  /** Files of the version before that the next one changed. */
  readonly changed: readonly string[];
  readonly files: readonly Change[];
}

/** A version that changed more is a release of many things at once, and its lines say nothing about a single file. */
const MOST_CHANGED = 10;

/** The pairs of one package, in the order of its versions. */
export async function* pairsOf(chosen: PinnedPackage, folder: string): AsyncGenerator<Pair> {
  const { name, versions, source } = chosen;
  let before: Version | undefined;
  for (const pinned of versions) {
    const all = await readVersion(folder, name, pinned);
    const files = new Map([...all].filter(([path]) => path.startsWith(source)));
    const [, log] = [...all].find(([path]) => /^(changelog|history)(\.md)?$/i.test(path)) ?? [];
    const lines = log === undefined ? [] : (changesByVersion(new TextDecoder().decode(log)).get(pinned[0]) ?? []);
    if (before !== undefined && lines.length > 0) {
      const changed = differing(before, { version: pinned[0], files });
      if (changed.length > 0 && changed.length <= MOST_CHANGED) {
        const searched = Array.from(before.files, ([path, bytes]) => ({ path, bytes }));
        yield { name, version: before.version, text: lines.join('\n'), changed, files: searched };
      }
    }
    before = { version: pinned[0], files };
  }
}

interface Version {
  readonly version: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What people changed: not what was generated, and not what differs by the number of the version alone. */
function differing(before: Version, after: Version): string[] {
  const told = (bytes: Uint8Array, { version }: Version): string =>
    Buffer.from(bytes).toString('latin1').replaceAll(version, 'VERSION');
  return [...before.files].flatMap(([path, bytes]) => {
    const now = after.files.get(path);
    const written = !/(^|\/)generated\/|\.json$/.test(path);
    return written && now !== undefined && told(bytes, before) !== told(now, after) ? [path] : [];
  });
}
