// Repositories on Redis keep their contract, with one partition and with four; and all keys of a call carry one tag.
import { expect, test } from 'vitest';
import { createRedisRepos } from '#core/context/redis-repos.ts';
import { createKeys } from '#core/jobs/keys.ts';
import { script } from '#core/redis/redis.ts';
import { createRandom } from '../helpers/random.ts';
import { redisStage } from '../helpers/redis-job-store.ts';
import { testRepos } from './repos.ts';

const stage = redisStage();
const flush = script('flush', `return redis.call('FLUSHALL')`);
const names = script('names', `return redis.call('KEYS','*')`);
for (const n of [1, 4]) {
  testRepos(`Redis, ${n} partitions`, async (now, limits) => {
    await stage.redis().run(flush, [], []);
    return createRedisRepos({ redis: stage.redis(), keys: createKeys(n), limits, now });
  });
}

test('what is not used any more is gone by itself', async () => {
  const redis = stage.redis();
  await redis.run(flush, [], []);
  const repos = createRedisRepos({ redis, keys: createKeys(4) });
  const r = { tenant: 't1', repository: 'r' };
  await repos.putFiles({ ...r, files: [{ print: 'a', bytes: new Uint8Array(3) }] });
  await repos.putIndex({ ...r, commit: 'c', blob: new Uint8Array(5), prints: ['a'] });
  await repos.putVectors({ ...r, space: 's', files: [{ print: 'a', bytes: new Uint8Array(7) }] });
  const keys = (await redis.run(names, [], [])) as string[];
  const tag = createKeys(4).prefix(createKeys(4).ofTenant('t1'));
  expect(keys).toHaveLength(9);
  const expiry = script('expiry', `return redis.call('PTTL',KEYS[1])`);
  for (const key of keys) {
    expect(key.startsWith(tag), key).toBe(true);
    expect(Number(await redis.run(expiry, [key], [])), key).toBeGreaterThan(29 * 24 * 3_600_000);
  }
});

test('no call takes away more than it can in a moment', async () => {
  const redis = stage.redis();
  await redis.run(flush, [], []);
  // What putFiles and putIndex leave for a thousand repositories of 1 KB.
  const seed = script(
    'seed',
    `for i=1,1000 do local h=redis.sha1hex(i):sub(1,32) local k='repo:t1:'..h
    redis.call('SET',k..':at:c',string.rep('x',200)) redis.call('SADD',k..':in:c','p')
    redis.call('HSET',k..':files','p',string.rep('y',800)) redis.call('ZADD',k..':head',1,'c')
    redis.call('HSET','repos:t1:bytes',h,1000) redis.call('ZADD','repos:t1',tonumber(ARGV[1])+i,h) end return 'ok'`,
  );
  const count = script('count', `return redis.call('ZCARD','repos:t1')`);
  await redis.run(seed, [], [Date.now() - 100_000]);
  const left = [1_000];
  const repos = createRedisRepos({
    redis: {
      ...{ get: redis.get, set: redis.set, getBytes: redis.getBytes, runBytes: redis.runBytes },
      async run(...call) {
        const answer = await redis.run(...call);
        left.push(Number(await redis.run(count, [], [])));
        return answer;
      },
    },
    limits: { bytes: 1_000_500 },
  });
  await repos.putFiles({ tenant: 't1', repository: 'big', files: [{ print: 'b', bytes: new Uint8Array(525_000) }] });
  expect(left.at(-1)).toBeGreaterThan(290);
  expect(left.at(-1)).toBeLessThan(310);
  for (const [i, repositories] of left.entries())
    expect((left[i - 1] ?? repositories) - repositories).toBeLessThanOrEqual(64);
});

test('after a thousand random calls the sums are those of what is there, and each file has its commit', async () => {
  const redis = stage.redis();
  await redis.run(flush, [], []);
  const { below } = createRandom(5);
  const limits = { bytes: 40_000, repositories: 4, commits: 3 };
  const repos = createRedisRepos({ redis, limits });
  let refused = 0;
  for (let i = 0; i < 1_000; i++) {
    const name = { tenant: 't1', repository: `r${below(5)}` };
    const prints = Array.from({ length: below(6) }, () => `p${below(30)}`);
    // As an engine does it, but that some stop half-way and some do not say what comes.
    const missing = await repos.missing({ ...name, prints });
    const blob = new Uint8Array(below(10) === 0 ? 35_000 : below(3_000));
    const files = [...new Set(missing)].map((print) => ({ print, bytes: new Uint8Array(below(4_000)) }));
    const of = { prints, indexBytes: blob.length };
    try {
      await repos.putFiles({ ...name, files, ...(below(3) > 0 && { of }) });
      if (below(2) > 0) await repos.putVectors({ ...name, space: `s${below(2)}`, files });
      if (below(3) > 0) await repos.putIndex({ ...name, commit: `c${below(4)}`, blob, prints });
    } catch (error) {
      expect(error).toMatchObject({ code: 'resource_exhausted' });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(5);
  const books = script(
    'books',
    `local call,sum,out=redis.call,0,{}
    for _,h in ipairs(call('ZRANGE','repos:t1',0,-1)) do
      local k='repo:t1:'..h
      local own,sets=0,{k..':new'}
      for _,c in ipairs(call('ZRANGE',k..':head',0,-1)) do own=own+call('STRLEN',k..':at:'..c) sets[#sets+1]=k..':in:'..c end
      for _,f in ipairs(call('HVALS',k..':files')) do own=own+#f end
      local vectors,strays=0,0
      for _,v in ipairs(call('HVALS',k..':vectors')) do vectors=vectors+#v end
      for _,p in ipairs(call('HKEYS',k..':vectors')) do strays=strays+1-call('HEXISTS',k..':files',p) end
      own=own+vectors
      local named=#call('SUNION',unpack(sets))
      sum=sum+own
      out[#out+1]={own,tonumber(call('HGET','repos:t1:bytes',h)),call('HLEN',k..':files'),named,vectors,tonumber(call('HGET','repos:t1:vectors',h) or '0'),strays}
    end
    return {out,sum,tonumber(call('HGET','repos:t1:bytes','total')),#call('KEYS','repo:*:head')}`,
  );
  const [own, sum, total, heads] = (await redis.run(books, [], [])) as [number[][], number, number, number];
  for (const [bytes, counted, files, named, vectors, countedVectors, strays] of own) {
    expect(counted).toBe(bytes);
    expect(named).toBe(files);
    expect(countedVectors).toBe(vectors);
    expect(strays).toBe(0);
  }
  expect(total).toBe(sum);
  expect(total).toBeLessThanOrEqual(limits.bytes);
  expect(own.length).toBeLessThanOrEqual(limits.repositories);
  expect(heads).toBeLessThanOrEqual(own.length);
});
