// What a Redis keeps through a restart, read from what it says about itself. `/health` names the class.
// Managed servers refuse CONFIG, so INFO alone must do; it does not tell how often the log is flushed.

/**
 * `always`: an acknowledged write is on disk. `everysec`: the last seconds may be lost. `none`: no log, or one that is flushed
 * when the operating system likes. `unknown`: there is a log, but the server does not say when it is flushed.
 */
export type DurabilityClass = 'always' | 'everysec' | 'none' | 'unknown';

export interface Durability {
  readonly class: DurabilityClass;
  /** `noeviction`, or how the server throws records away; `unknown` if it does not say. */
  readonly evictionPolicy: string;
  /** Whether there is an append-only log. */
  readonly log: boolean;
  /** The last write or rewrite of the log failed. */
  readonly logFailing: boolean;
  /** When snapshots are taken, as in `save`; empty for never, undefined if the server does not say. */
  readonly snapshots: string | undefined;
}

/** A server's answers: `info` of INFO, `config` of CONFIG GET, undefined where it was refused. */
export interface SelfDescription {
  readonly info: string;
  readonly config: ReadonlyMap<string, string> | undefined;
}

/** The fields of an INFO answer. */
export function parseInfo(info: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** Reads the durability of a server. */
export function readDurability({ info, config }: SelfDescription): Durability {
  const fields = parseInfo(info);
  const log = config?.get('appendonly') === 'yes' || fields.get('aof_enabled') === '1';
  const failing = ['aof_last_write_status', 'aof_last_bgrewrite_status'].some((name) => fields.get(name) === 'err');
  return {
    class: classOf(log, config?.get('appendfsync')),
    evictionPolicy: fields.get('maxmemory_policy') ?? config?.get('maxmemory-policy') ?? 'unknown',
    log,
    logFailing: log && failing,
    snapshots: config?.get('save'),
  };
}

function classOf(log: boolean, fsync: string | undefined): DurabilityClass {
  if (!log) return 'none';
  if (fsync === 'always' || fsync === 'everysec') return fsync;
  return fsync === undefined ? 'unknown' : 'none';
}
