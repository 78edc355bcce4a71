// `npm run dev`: which services to restart when a file changes. Whole folders are watched; which service
// a path concerns is decided by its name alone.
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Service } from '../services.ts';

const FOLDERS = ['core', 'functions', 'services', join('proto', 'gen'), 'config'];

/** The services that a change of `path` (from the root, `/` between names) concerns. */
export function concerned(path: string, services: readonly Service[]): readonly Service[] {
  if (!/\.(ts|lua|json|ya?ml)$/.test(path) || path.endsWith('.test.ts')) return [];
  const owner = services.filter((service) => path.startsWith(`${homeOf(service)}/`));
  if (owner.length > 0) return owner;
  if (path.startsWith('functions/')) return services.filter((service) => homeOf(service).startsWith('functions/'));
  // A folder of a service that npm start does not run concerns nobody.
  return path.startsWith('services/') ? [] : services;
}

/** The folder of its code: a function in workerd is started from elsewhere. */
function homeOf({ name, entry }: Service): string {
  return entry.startsWith('local/edge/') ? `functions/${name}` : dirname(entry);
}

/**
 * Calls `changed` with the services to restart, once per burst of changes. Returns how to end watching.
 */
export function watchFiles(
  root: string,
  services: readonly Service[],
  changed: (services: ReadonlySet<Service>, file: string) => void,
  settle = 150,
): () => void {
  let pending = new Set<Service>();
  let last = '';
  let timer: NodeJS.Timeout | undefined;
  const seen = (path: string) => {
    const found = concerned(path, services);
    if (found.length === 0) return;
    for (const service of found) pending.add(service);
    last = path;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const batch = pending;
      pending = new Set();
      changed(batch, last);
    }, settle);
  };
  const watchers: FSWatcher[] = FOLDERS.filter((folder) => existsSync(join(root, folder))).map((folder) =>
    watch(join(root, folder), { recursive: true }, (_event, name) => {
      if (name !== null) seen(join(folder, name).split(sep).join('/'));
    }),
  );
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
