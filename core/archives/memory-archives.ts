// The archive store's twin for tests: the same answers, in this process.
import { archivePartBytes, archiveParts } from '#core/protocol/archive-pointer.ts';
import { type ArchiveLimits, archiveLimits, type ArchiveName, type Archives } from './archives.ts';
import { badBytes, badPart, noRoom, notBegun } from './problems.ts';

interface Kept {
  readonly tenant: string;
  readonly bytes: number;
  readonly parts: Map<number, Uint8Array>;
  expiresAt: number;
}

/** `now` is in ms since the epoch. */
export function createMemoryArchives(now: () => number, limits: Partial<ArchiveLimits> = {}): Archives {
  const { tenantBytes, tenantArchives, idleMs, keepMs } = { ...archiveLimits, ...limits };
  const all = new Map<string, Kept>();
  const nameOf = ({ tenant, sha256 }: ArchiveName): string => `${tenant}:${sha256}`;
  const find = (archive: ArchiveName): Kept | undefined => {
    for (const [name, { expiresAt }] of all) if (expiresAt <= now()) all.delete(name);
    return all.get(nameOf(archive));
  };
  const live = (kept: Kept, ms: number): void => {
    kept.expiresAt = Math.max(kept.expiresAt, now() + ms);
  };
  const numbers = (bytes: number): number[] => Array.from({ length: archiveParts(bytes) }, (_, i) => i);

  return {
    async begin({ bytes, ...archive }) {
      let kept = find(archive);
      if (kept?.bytes !== bytes) {
        const others = [...all].filter(([name, { tenant }]) => tenant === archive.tenant && name !== nameOf(archive));
        const used = others.reduce((sum, [, other]) => sum + other.bytes, 0);
        if (used + bytes > tenantBytes || others.length >= tenantArchives) {
          throw noRoom({ archives: others.length, bytes: used }, { archives: tenantArchives, bytes: tenantBytes });
        }
        kept = { tenant: archive.tenant, bytes, parts: new Map(), expiresAt: 0 };
        all.set(nameOf(archive), kept);
      }
      live(kept, idleMs);
      const { parts, expiresAt } = kept;
      return { parts: archiveParts(bytes), expiresAt, missing: numbers(bytes).filter((i) => !parts.has(i)) };
    },

    async put({ part, bytes, ...archive }) {
      const kept = find(archive);
      if (kept === undefined) throw notBegun();
      const count = archiveParts(kept.bytes);
      if (part >= count) throw badPart(count);
      const due = part < count - 1 ? archivePartBytes : kept.bytes - part * archivePartBytes;
      if (bytes.length !== due) throw badBytes(part, bytes.length, due);
      kept.parts.set(part, bytes.slice());
      live(kept, idleMs);
      return { missing: count - kept.parts.size };
    },

    async keep(archive) {
      const kept = find(archive);
      if (kept === undefined) return 'missing';
      if (kept.parts.size < archiveParts(kept.bytes)) return 'incomplete';
      live(kept, keepMs);
      return 'kept';
    },

    async read(archive, signal) {
      signal?.throwIfAborted();
      const kept = find(archive);
      if (kept === undefined || kept.parts.size < archiveParts(kept.bytes)) return undefined;
      const whole = new Uint8Array(kept.bytes);
      for (const [part, bytes] of kept.parts) whole.set(bytes, part * archivePartBytes);
      return whole;
    },

    async drop(archive) {
      all.delete(nameOf(archive));
    },
  };
}
