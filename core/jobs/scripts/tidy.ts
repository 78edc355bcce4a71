// Part of claim: keeps the virtual times of a pool (`vt:<pool>`, one member per tenant) from growing with all tenants that ever came.
// A tenant at or behind the pool's own virtual time (member '') starts where the pool is when it returns, remembered or not. Only
// where it waits does its own time count, since a score in a ring may be stale: so that score is put right before it is forgotten.

/** Fewer tenants than this are left alone. */
export const fewTenants = 64;

/**
 * Tenants that are remembered ahead of the pool's virtual time, about. Beyond that the least ahead are forgotten: one that returns starts
 * as early as a newcomer, one job's cost too early at most. That is so when very many tenants come once each, and nobody stays.
 */
export const mostTenants = 1024;

/** With more lanes waiting than this, in all pools, it is left for another time: each of their rings has to be looked at. */
export const mostLanes = 256;

/** Scores put right in one call at most (tenants times rings): Redis does nothing else meanwhile. The rest is for the next times. */
export const mostWork = 20_000;

/** Tenants put right by one command; Lua cannot unpack lists without limit. */
const chunk = 500;

/** Lua: `tidy(pool)`, for after a claim. Work bounded by `mostWork`. */
export const tidy = /* lua */ `
local function tidy(pool)
  local vk=P..'vt:'..pool
  local n=call('ZCARD',vk)
  if n<=${fewTenants} or call('HLEN',P..'qn')>${mostLanes} then return end
  local virtual=call('ZSCORE',vk,'')
  local last=virtual and math.max(call('ZCOUNT',vk,'-inf',virtual),n-${mostTenants}) or 0
  if last<2 then return end -- '' itself
  local rings={}
  for _,name in ipairs(call('HKEYS',P..'qn')) do
    if string.sub(name,1,#pool+1)==pool..' ' then
      for prio=0,2 do
        local rk=ring(pool,string.sub(name,#pool+2),prio)
        if call('EXISTS',rk)==1 then rings[#rings+1]=rk end
      end
    end
  end
  if #rings>0 then last=math.max(2,math.min(last,math.floor(${mostWork}/#rings))) end
  for from=0,#rings>0 and last-1 or -1,${chunk} do
    local z,at=call('ZRANGE',vk,from,math.min(from+${chunk},last)-1,'WITHSCORES'),{}
    for i=1,#z,2 do
      if z[i]~='' then at[#at+1]=z[i+1] at[#at+1]=z[i] end
    end
    if #at>0 then for _,rk in ipairs(rings) do call('ZADD',rk,'XX','GT',unpack(at)) end end
  end
  call('ZREMRANGEBYRANK',vk,0,last-1)
  call('ZADD',vk,virtual,'')
end
`;
