// What every driver of the Redis port must do, on a real redis-server: replies as the port promises them, refusals as our errors.
import { describe, expect, test } from 'vitest';
import { type CortexError, isRetryable } from '#core/errors.ts';
import { type Redis, script } from '#core/redis/redis.ts';
import { scriptDigest } from '#core/redis/script-digest.ts';
import { ask, cli, echo, spin } from './redis-clients.ts';

export interface RedisStage {
  /** The server that a driver leads to, however. */
  readonly server: () => { readonly port: number };
  readonly open: () => Promise<Redis & { readonly calls: number }>;
  /** Calls at once that it is fair to ask for. */
  readonly many: number;
  /** Whether calls at once wait for one loading of their script, or each loads it. */
  readonly sharesLoading: boolean;
}

/** Runs the contract on a driver. */
export function testRedis(name: string, { server, open, many, sharesLoading }: RedisStage): void {
  describe(`the Redis port over ${name}`, () => {
    test('get and set, with and without an end', async () => {
      const redis = await open();
      expect(await redis.get('missing')).toBeNull();
      await redis.set('key', 'välue\r\n\u0000');
      expect(await redis.get('key')).toBe('välue\r\n\u0000');
      expect(await ask(redis, 'PTTL', 'key')).toBe(-1);
      await redis.set('key', '', { ttlMs: 60_000 });
      expect(await redis.get('key')).toBe('');
      expect(await ask(redis, 'PTTL', 'key')).toSatisfy((ttl) => Number(ttl) > 50_000 && Number(ttl) <= 60_000);
      await redis.set('key', 'again');
      expect(await ask(redis, 'PTTL', 'key')).toBe(-1);
    });

    test.each(['\ufeffbegins with a mark', 'OK', 'T0s=', '12345678901234567890', '{"a":1}', 'null', '"', '\u2028'])(
      'text stays text: %j',
      async (value) => {
        const redis = await open();
        await redis.set('text', value);
        expect(await redis.get('text')).toBe(value);
        expect(await redis.run(echo, [], [value])).toEqual([value]);
      },
    );

    test('counts one call for each get, set and run', async () => {
      const redis = await open();
      await redis.run(echo, [], []);
      const before = redis.calls;
      await Promise.all([redis.get('a'), redis.set('a', 'b'), redis.run(echo, [], [])]);
      expect(redis.calls - before).toBe(3);
    });

    test('replies of scripts: nested, numbers as numbers, text as text, nothing as null', async () => {
      const redis = await open();
      const shapes = script('shapes', "return {1, '1', {2, {'three', false}}, false, {}, -5, 2^52, 3.99, 'ü', ''}");
      expect(await redis.run(shapes, [], [])).toEqual([
        1,
        '1',
        [2, ['three', null]],
        null,
        [],
        -5,
        4503599627370496,
        3,
        'ü',
        '',
      ]);
      const say = (source: string) => redis.run(script('one', source), [], []);
      expect(await say('return false')).toBeNull();
      expect(await say('return true')).toBe(1);
      expect(await say('return nil')).toBeNull();
      expect(await say('return {1, nil, 3}')).toEqual([1]); // Lua's own: a list ends at its first nil
      expect(await say("return redis.status_reply('FINE')")).toBe('FINE');
      expect(await say("return redis.call('HMGET', 'none', 'a', 'b')")).toEqual([null, null]);
      expect(await say("return redis.call('HGETALL', 'none')")).toEqual([]);
      expect(await say("return string.format('%.0f', 2^60)")).toBe('1152921504606846976');
    });

    test('keys and arguments arrive as text, numbers in full', async () => {
      const redis = await open();
      const both = script('both', 'return {KEYS, ARGV}');
      expect(await redis.run(both, ['a', 'b'], [1, 1732294023123, 'x y', '', 1.5])).toEqual([
        ['a', 'b'],
        ['1', '1732294023123', 'x y', '', '1.5'],
      ]);
    });

    test('a script is loaded once, and again when the server forgot it', async () => {
      const redis = await open();
      const fresh = script('fresh', `return {'${crypto.randomUUID()}', ARGV[1]}`);
      const before = redis.calls;
      await redis.run(fresh, [], [1]);
      expect(redis.calls - before).toBe(3); // EVALSHA, SCRIPT LOAD, EVALSHA
      await redis.run(fresh, [], [2]);
      expect(redis.calls - before).toBe(4);
      expect(await cli(server().port, 'SCRIPT', 'EXISTS', scriptDigest(fresh))).toEqual([1]);
      await cli(server().port, 'SCRIPT', 'FLUSH');
      const after = redis.calls;
      const many = await Promise.all(Array.from({ length: 20 }, (_, i) => redis.run(fresh, [], [i])));
      expect(many.map((reply) => (reply as string[])[1])).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
      expect(redis.calls - after).toBeLessThanOrEqual(sharesLoading ? 41 : 60); // 20 refused, one load for all or 20, 20 again
    });

    test('many calls at once answer each their own', async () => {
      const redis = await open();
      const replies = await Promise.all(Array.from({ length: many }, (_, i) => redis.run(echo, [], [i])));
      expect(replies).toEqual(Array.from({ length: many }, (_, i) => [String(i)]));
    });

    test("a script's own failure is ours to repair, with the server's words in the cause", async () => {
      const redis = await open();
      await redis.set('text', 'not a hash');
      const broken = script('broken', "return redis.call('HGET', KEYS[1], 'a')");
      const error = await redis.run(broken, ['text'], []).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'internal', message: expect.stringContaining('broken') as string });
      expect(String((error as CortexError).cause)).toContain('WRONGTYPE');
      expect(isRetryable(error)).toBe(false);
      const wrong = redis.run(script('syntax', 'this is not Lua'), [], []);
      await expect(wrong).rejects.toMatchObject({
        code: 'internal',
        message: expect.stringContaining('syntax') as string,
      });
    });

    test.each([
      ['LOADING Redis is loading the dataset in memory', 'unavailable'],
      ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", 'unavailable'],
      ['CLUSTERDOWN Hash slot not served', 'unavailable'],
      ['BUSY Redis is busy running a script.', 'unavailable'],
      ['MISCONF Redis is configured to save RDB snapshots', 'unavailable'],
      ["OOM command not allowed when used memory > 'maxmemory'.", 'resource_exhausted'],
      ['NOPERM this user has no permissions', 'permission_denied'],
      ['ERR anything else', 'internal'],
    ])('%s is %s', async (refusal, code) => {
      const redis = await open();
      const say = script('say', 'return redis.error_reply(ARGV[1])');
      const failed = redis.run(say, [], [refusal]);
      await expect(failed).rejects.toMatchObject({ code, cause: { message: refusal } });
    });

    test('a signal gives up waiting', async () => {
      const redis = await open();
      const aborted = redis.run(echo, [], [], { signal: AbortSignal.abort() });
      await expect(aborted).rejects.toMatchObject({ code: 'canceled' });
      const controller = new AbortController();
      const waiting = redis.run(spin, [], [300], { signal: controller.signal });
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'canceled' });
      expect(await redis.run(echo, [], ['next'], { signal: new AbortController().signal })).toEqual(['next']);
    });
  });
}
