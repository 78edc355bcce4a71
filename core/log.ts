// JSON lines, one object each, with job_id, trace_id and tenant where they are known. The sink is the entry's choice.
import { CortexError } from '#core/errors.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  readonly level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly write: (line: string) => void;
  readonly now: () => number;
  readonly fields?: LogFields;
}

/** Characters of an error's message that are kept: it may repeat whatever somebody sent. */
const mostWords = 2_000;

const short = (text: string, most = mostWords): string => (text.length > most ? `${text.slice(0, most)}...` : text);

/** An error as fields: name, code, message, and its chain of causes; stacks only for what is not ours. */
function describe(value: unknown, depth = 0, foreseen = false): unknown {
  if (!(value instanceof Error)) return value;
  const message = short(value.message);
  const out: Record<string, unknown> = { name: value.name, message };
  if ('code' in value) out['code'] = value.code;
  else if (!foreseen) out['stack'] = short(value.stack?.replace(value.message, () => message) ?? '', 2 * mostWords);
  // What lies behind an error of ours was expected, and its place in the code explains nothing, unless the code says otherwise.
  const expected = foreseen || (value instanceof CortexError && value.code !== 'internal' && value.code !== 'unknown');
  if (value.cause !== undefined && depth < 4) out['cause'] = describe(value.cause, depth + 1, expected);
  return out;
}

/** A logger that writes one JSON object a line. A level below the threshold costs one comparison. */
export function createLog(options: LogOptions): Log {
  const threshold = logLevels.indexOf(options.level);
  const emit = (level: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (logLevels.indexOf(level) < threshold) return;
    const line: Record<string, unknown> = { ts: new Date(options.now()).toISOString(), level, msg: message };
    for (const source of [options.fields, fields]) {
      for (const key in source) line[key] = describe(source[key]);
    }
    let text: string;
    try {
      text = JSON.stringify(line, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
    } catch (error) {
      text = JSON.stringify({ ts: line['ts'], level, msg: message, log_error: String(error) });
    }
    options.write(text);
  };
  return {
    level: options.level,
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    with: (fields) => createLog({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

/** Says nothing: for libraries under test and for callers that have no log. */
export const silentLog: Log = createLog({ level: 'silent', write: () => undefined, now: () => 0 });
