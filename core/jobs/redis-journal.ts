// The journal on Redis: `wf:<id>`, a list of lines; `wf:<id>:in`, a list of signals (`<ms> <name> <value>`); `wf:<id>:in:keys`, the keys of
// signals that have one. A colon is in no id, so no job can be named so that these are its own.
import { createKeys, type Keys } from './keys.ts';
import { createCalls } from './redis-calls.ts';
import { CortexError } from '#core/errors.ts';
import { int, list, type Redis, text } from '#core/redis/redis.ts';
import type { Appended, Journal, Sent, Signal } from '#core/workflow/journal.ts';
import * as scripts from './scripts/journal.ts';

export interface RedisJournalOptions {
  readonly redis: Redis;
  readonly keys?: Keys;
  /** As the job store's. */
  readonly metaTtlMs?: number;
}

/** Lines, signals or results in one answer. */
const pageLength = 500;

/** The journal on Redis. Throws what the driver throws, and `data_loss` for what none of ours wrote. */
export function createRedisJournal({ redis, keys = createKeys(1), metaTtlMs }: RedisJournalOptions): Journal {
  const { run, each, byTenant } = createCalls({
    ...{ redis, keys, random: () => '' },
    ...(metaTtlMs !== undefined && { metaTtlMs }),
  });
  const at = (tenant: string): number => keys.ofTenant(tenant);

  return {
    async append({ id, tenant, fence, attempt, from, lines, gotOn = false }) {
      const args = [id, fence, attempt, from, gotOn ? 1 : 0, ...lines];
      return text(await run(scripts.append, at(tenant), args)) as Appended;
    },

    async lines({ id, tenant }) {
      const out: string[] = [];
      for (;;) {
        const answer = await run(scripts.read, at(tenant), [id, tenant, out.length, pageLength]);
        if (answer === null) return undefined;
        const [length, page] = list(answer);
        out.push(...list(page).map(text));
        if (out.length >= int(length) || list(page).length === 0) return out;
      }
    },

    async signals({ id, tenant, from }) {
      const out: Signal[] = [];
      for (;;) {
        const page = list(await run(scripts.signals, at(tenant), [id, tenant, from + out.length, pageLength]));
        out.push(...page.map((one) => signalOf(text(one))));
        if (page.length < pageLength) return out;
      }
    },

    counts: (runs) =>
      each(
        scripts.counts,
        runs,
        byTenant,
        ({ id }, args) => args.push(id),
        (reply) => int(reply),
      ),

    async send({ id, tenant, name, value, key }) {
      return text(await run(scripts.send, at(tenant), [id, tenant, name, value, key])) as Sent;
    },

    async seed({ id, tenant, lines, signals }) {
      const sent = signals.map((signal) => `${signal.at} ${signal.name} ${signal.value}`);
      // In as many calls as requests have room for: nobody looks before there is a job.
      for (const [i, part] of parts(lines, sent).entries()) {
        const args = [id, i === 0 ? 1 : 0, part.lines.length, ...part.lines, ...part.sent];
        const answer = text(await run(scripts.seed, at(tenant), args));
        if (answer !== 'ok') throw new CortexError('already_exists', `there is a run ${id} already`);
      }
    },

    async there(tenant, pointers) {
      const out: boolean[] = [];
      while (out.length < pointers.length) {
        const some = pointers.slice(out.length, out.length + pageLength).map((pointer) => ({ tenant, pointer }));
        const found = await each(
          scripts.there,
          some,
          byTenant,
          ({ pointer }, args) => args.push(pointer),
          (reply) => int(reply) === 1,
        );
        out.push(...found);
      }
      return out;
    },

    async unseed({ id, tenant }) {
      await run(scripts.unseed, at(tenant), [id]);
    },
  };
}

function signalOf(line: string): Signal {
  const parts = /^(\d+) (\S+) (.*)$/s.exec(line);
  if (parts === null) throw new CortexError('data_loss', 'a signal is broken');
  const [, at = '', name = '', value = ''] = parts;
  return { at: Number(at), name, value };
}

/** Bytes of one call of a seed, about: less than the least that a request by REST may have. */
const seedBytes = 300_000;

function parts(lines: readonly string[], sent: readonly string[]): readonly { lines: string[]; sent: string[] }[] {
  const out: { lines: string[]; sent: string[] }[] = [{ lines: [], sent: [] }];
  let left = seedBytes;
  for (const [list, texts] of [
    ['lines', lines],
    ['sent', sent],
  ] as const) {
    for (const one of texts) {
      // A character may take three bytes, and one more where it is escaped.
      const bytes = one.length * 4;
      if (bytes > left && left < seedBytes) {
        out.push({ lines: [], sent: [] });
        left = seedBytes;
      }
      out.at(-1)?.[list].push(one);
      left -= bytes;
    }
  }
  return out;
}
