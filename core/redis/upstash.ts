// Redis over REST, for runtimes without TCP: each command is one HTTP request, with nothing kept between them. A command is sent once
// at most, as over TCP: what was not answered may or may not have run; only NOSCRIPT, where nothing ran, is sent again.
//
// The client is set against four of its habits: with `retry: false` it sends twice; with a plain signal an abort looks like an answer;
// its base64 loses a byte order mark; its errors carry the whole command, so the payload of a job.
import { Redis as Client } from '@upstash/redis/cloudflare';
import { CortexError, invalid, toCortexError } from '#core/errors.ts';
import { systemClock } from '#core/system.ts';
import type { Arg, Redis, Reply } from './redis.ts';
import { isNoScript, replyError } from './reply-error.ts';
import { requestBytes } from './request-size.ts';
import { scriptDigest } from './script-digest.ts';

export interface UpstashRedisOptions {
  /** `https://host[:port][/path]`, or `http://` on this machine. */
  readonly url: string;
  /** Never in an error or a log. */
  readonly token: string;
  /** How long one request may take, ms. Default 2,000. */
  readonly commandTimeoutMs?: number;
  /** What the server takes in one request, bytes. Default 1,000,000: the least that Upstash sells. */
  readonly maxRequestBytes?: number;
}

/** Redis over REST: no bytes, and a bound on a request. */
export interface RestRedis extends Redis {
  readonly maxRequestBytes: number;
  /** Requests so far: one for each get, set and run, and two more when a run had to load its script. */
  readonly calls: number;
}

/**
 * Redis at a URL that speaks the Upstash dialect; nothing is sent yet. Throws CortexError `invalid_argument` for the URL or the token.
 * Its calls throw `unavailable` when nobody answers in time or what answers is no Redis, `unauthenticated` for a wrong token,
 * `invalid_argument` for a command that is larger than a request may be, and else what the server's refusal says.
 */
export function createUpstashRedis(options: UpstashRedisOptions): RestRedis {
  const { token, commandTimeoutMs = 2_000, maxRequestBytes = 1_000_000 } = options;
  const url = parseUrl(options.url);
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalid('token', 'must be visible ASCII characters');
  let calls = 0;
  // The client asks for the signal before it waits for anything, so the one set last is that of the command being sent.
  let signalOfNext = new AbortController().signal;
  const client = new Client({
    url,
    token,
    automaticDeserialization: false,
    responseEncoding: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    latencyLogging: false,
    keepAlive: false, // in the words of fetch: the request need not outlive us, so that it may be larger than 64 KiB
    retry: { retries: 0 },
    signal: () => signalOfNext,
  });

  const call = async (what: string, command: [string, ...Arg[]], signal?: AbortSignal): Promise<unknown> => {
    const giveUp = (): void => {
      if (signal?.aborted === true) throw toCortexError(signal.reason);
    };
    giveUp();
    const bytes = requestBytes(command);
    if (bytes > maxRequestBytes) {
      throw new CortexError(
        'invalid_argument',
        `${what} takes ${bytes} bytes, and a request to Redis may have ${maxRequestBytes}`,
      );
    }
    calls++;
    const late = new AbortController();
    const cancel = systemClock.after(commandTimeoutMs, () =>
      late.abort(new Error(`no answer in ${commandTimeoutMs} ms`)),
    );
    signalOfNext = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
    try {
      return await client.exec(command);
    } catch (error) {
      giveUp();
      throw failure(`${what} at ${url}`, error, token);
    } finally {
      cancel();
    }
  };

  return {
    maxRequestBytes,
    get calls() {
      return calls;
    },
    get: async (key) => (await call('GET', ['GET', key])) as string | null,
    async set(key, value, { ttlMs } = {}) {
      await call('SET', ttlMs === undefined ? ['SET', key, value] : ['SET', key, value, 'PX', ttlMs]);
    },
    async run(script, keys, args, { signal } = {}) {
      for (let tries = 0; ; tries++) {
        try {
          const command: [string, ...Arg[]] = ['EVALSHA', scriptDigest(script), keys.length, ...keys, ...args];
          return (await call(script.name, command, signal)) as Reply;
        } catch (error) {
          const { cause } = error as CortexError;
          if (tries === 2 || !(cause instanceof Error) || !isNoScript(cause.message)) throw error;
          // By each call for itself: in workerd no request may wait for what another one has begun.
          await call(`the loading of ${script.name}`, ['SCRIPT', 'LOAD', script.source], signal);
        }
      }
    },
  };
}

/** The URL without a slash at its end. Throws invalid_argument. */
function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw invalid('url', 'must be https://host[:port][/path], or http://');
  }
  if (url.username !== '' || url.password !== '') throw invalid('url', 'must not hold credentials: the token has them');
  return url.href.replace(/\/+$/, '');
}

/** What went wrong, as our error. Its cause says what is worth a log: neither the token nor a command or reply, which may be a payload. */
function failure(what: string, error: unknown, token: string): CortexError {
  const words = wordsOf(error).replaceAll(token, '(token)');
  const cause = new Error(words);
  switch (error instanceof Error ? error.name : '') {
    case 'UpstashError': {
      const refusal = words.replace(/, command was: [^]*$/, '').replace(/^Command failed: /, '');
      return refusalOf(what, refusal);
    }
    case 'UpstashJSONParseError': {
      // The page of a proxy is worth a log; half a reply may be half a payload.
      const told = new Error(words.replace(/(body: )\s*[[{"][^]*$/, '$1(a part of a reply)'));
      return new CortexError('unavailable', `what answered ${what} is no Redis over REST, or broke off`, {
        cause: told,
      });
    }
    default:
      return new CortexError('unavailable', `Redis did not answer ${what}`, { cause });
  }
}

/** The words of an HTTP refusal: those of Redis begin with one in capitals, and a few are REST's own. */
function refusalOf(what: string, refusal: string): CortexError {
  const cause = new Error(refusal);
  if (/^unauthorized\b/i.test(refusal)) {
    return new CortexError('unauthenticated', `Redis refused ${what}: the token is not known`, { cause });
  }
  if (/^ERR max request size\b/i.test(refusal)) {
    return new CortexError('invalid_argument', `Redis refused ${what}: it is larger than a request may be`, { cause });
  }
  if (/^ERR max\b.*\bexceeded/i.test(refusal)) {
    return new CortexError('resource_exhausted', `Redis refused ${what}: a limit is reached`, { cause });
  }
  if (/^[A-Z]{2}/.test(refusal)) return replyError(what, refusal, cause);
  return new CortexError('unavailable', `what answered ${what} did not reach its Redis, or has none`, { cause });
}

/** An error's message, and those of what lies behind it. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown failure';
  return error.cause === undefined ? error.message : `${error.message}: ${wordsOf(error.cause)}`;
}
