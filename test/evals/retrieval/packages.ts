// The packages of the evaluation, chosen because they publish their sources and a changelog with them; versions one after the other, each
// with the digest of its archive. Half of them were looked at while the weights were chosen, and half were not.
import { readFileSync } from 'node:fs';

export interface PinnedPackage {
  readonly name: string;
  readonly part: 'tuned' | 'held-out';
  /** Folder of the sources. */
  readonly source: string;
  /** Version and integrity, ascending. */
  readonly versions: readonly (readonly [string, string])[];
}

const rows = JSON.parse(readFileSync(new URL('packages.json', import.meta.url), 'utf8')) as readonly (Omit<
  PinnedPackage,
  'versions'
> & {
  readonly versions: Readonly<Record<string, string>>;
})[];

/** In the order of the file. */
export const packages: readonly PinnedPackage[] = rows.map((row) => ({
  ...row,
  versions: Object.entries(row.versions),
}));
