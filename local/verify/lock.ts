// Platform packages in the lockfile. A registry that does not carry the build of a tool for some other system makes npm write
// a lockfile without it, and npm 11 then refuses that lockfile in `npm ci`: "Missing: NAME@ from lock file". An entry with name,
// version and system is enough for npm to pass it over here and to install it there, so the gaps are filled from the names.

export interface Lockfile {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

export interface LockEntry {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly dev?: boolean;
  readonly [field: string]: unknown;
}

export interface Gap {
  readonly name: string;
  readonly version: string;
  /** The entry that wants it, as a path in the lockfile. */
  readonly wantedBy: string;
}

const OS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];

const CPU: Readonly<Record<string, string>> = {
  aarch64: 'arm64',
  arm: 'arm',
  arm64: 'arm64',
  armv7: 'arm',
  ia32: 'ia32',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  x64: 'x64',
};

/** Optional packages that somebody in the lockfile wants and that have no entry. */
export function lockGaps({ packages }: Lockfile): Gap[] {
  return Object.entries(packages).flatMap(([wantedBy, entry]) =>
    Object.entries(entry.optionalDependencies ?? {}).flatMap(([name, version]) =>
      placesOf(name, wantedBy).some((place) => Object.hasOwn(packages, place)) ? [] : [{ name, version, wantedBy }],
    ),
  );
}

/** The lockfile with the gaps filled whose name tells the system and whose version is exact; its entries in npm's order. */
export function fillGaps<L extends Lockfile>(lock: L): L {
  const added = lockGaps(lock).flatMap(({ name, version, wantedBy }): [string, LockEntry][] => {
    const words = name.split(/[-/]/);
    const os = OS.find((word) => words.includes(word));
    const cpu = words.map((word) => CPU[word]).find((word) => word !== undefined);
    if (os === undefined || cpu === undefined || !/^\d+\.\d+\.\d+$/.test(version)) return [];
    const libc = words.some((word) => word.startsWith('musl'))
      ? ['musl']
      : words.some((word) => word.startsWith('gnu'))
        ? ['glibc']
        : undefined;
    const dev = lock.packages[wantedBy]?.dev === true;
    return [
      [
        `node_modules/${name}`,
        { version, cpu: [cpu], ...(dev && { dev }), ...(libc && { libc }), optional: true, os: [os] },
      ],
    ];
  });
  const all = [...Object.entries(lock.packages), ...added].toSorted(([a], [b]) => a.localeCompare(b, 'en'));
  return { ...lock, packages: Object.fromEntries(all) };
}

/** Where Node would look for a package from the one at `from`, nearest first. */
function placesOf(name: string, from: string): string[] {
  const parts = from === '' ? [] : from.split(/\/?node_modules\//).filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, up) =>
    [...parts.slice(0, parts.length - up), name].map((part) => `node_modules/${part}`).join('/'),
  );
}
