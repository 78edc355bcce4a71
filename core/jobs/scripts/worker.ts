// Workers: register and unregister on the global `w:<id>`; held and used on the slots of a partition.
import { script } from '#core/redis/redis.ts';
import { jobScript } from './prelude.ts';

// KEYS[1]: w:<id>. ARGV: instance, capacity, pool, ms alive. A live holder of another instance is not displaced.
export const register = script(
  'register',
  /* lua */ `
local holder=redis.call('HGET',KEYS[1],'inst')
if holder and holder~=ARGV[1] then return {'taken',redis.call('PTTL',KEYS[1])} end
redis.call('HSET',KEYS[1],'inst',ARGV[1],'cap',ARGV[2],'pool',ARGV[3])
redis.call('PEXPIRE',KEYS[1],ARGV[4])
return {'ok',0}`,
);

// KEYS[1]: w:<id>. ARGV: instance.
export const unregister = script(
  'unregister',
  /* lua */ `
if redis.call('HGET',KEYS[1],'inst')==ARGV[1] then redis.call('DEL',KEYS[1]) end
return 1`,
);

// ARGV[5]: worker, [6] instance. What another instance of this worker held: id, state, fence, tenant of each. Slots of what has ended
// are left: their leases are at most as long as the life of the instance that held them.
export const held = jobScript(
  'held',
  /* lua */ `
local out={}
local function row(id)
  local m=record(id,'inst','worker')
  return held(m[1]) and m[5]==ARGV[5] and m[4]~=ARGV[6] and {id,m[1],m[3],m[2]}
end
for _,id in ipairs(call('ZRANGE',P..'slots:'..ARGV[5],0,-1)) do
  local r=guard(id,false,row,id)
  if r then out[#out+1]=r end
end
return reply(out)`,
);

// ARGV[5]: worker. Slots in use in this partition.
export const used = jobScript(
  'used',
  /* lua */ `
return reply({call('ZCOUNT',P..'slots:'..ARGV[5],'('..ms,'+inf')})`,
);
