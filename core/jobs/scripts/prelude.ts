// What stands before every script: time, the edges of the table, events, the ready queue, the end of a job.
// Scripts check first and write last (Lua does not roll back), and format large numbers with %d (tostring loses digits).
// ARGV: [1] key prefix of the partition, [2] now in ms (0: Redis TIME), [3] ms to keep a record after its end, [4] ms to keep payloads,
// [5...] the operation's own. KEYS[1] names the partition's `due`, so that a cluster routes the call.
// Answers: [results, events, broken] as JSON (an empty list may come as {}, nothing as false), or a list of that and of large texts.
import { type Script, script } from '#core/redis/redis.ts';
import { pseudoPrefix } from '../lane.ts';
import { edges, states } from '../state.ts';

/** The table of state.ts as one text: `|PENDING>SCHEDULED|...|`. Generated, so that there is no second copy of the rules. */
const edgeText = `|${Object.entries(edges)
  .flatMap(([from, to]) => to.map((t) => `${from}>${t}`))
  .join('|')}|`;

/** How long after its end a job is looked at again when nobody said that its end was announced, ms. */
export const announceMs = 2000;

/** Losses that a job survives; the next one ends it. */
export const maxLosses = 3;

/** Losses that the run of a workflow survives, however it got on between them: the plane cannot tell whether it is what kills its workers. */
export const mostLosses = 20;

/** Entries that a tenant's event stream keeps, about. */
export const streamLength = 10_000;

/** How long a tenant's stream is kept without news, ms: two weeks. */
export const streamMs = 14 * 24 * 3600 * 1000;

/** Transitions that a job's own list keeps; a job that nobody takes up goes round and round until its deadline. */
export const pathLength = 1000;

/**
 * How long the slots of a worker are kept when nothing touches them any more, ms: longer than any job lives. Worker ids are unique by
 * default, so those of a dead one would stay for ever if a job of it was cancelled and nobody said that it stopped.
 */
export const slotsMs = 48 * 3600 * 1000;

/** Packets (as base64) or results that one answer carries, about: a larger one would keep its reader from everything else. */
export const mostBytes = 1_000_000;

/** Texts from this many bytes on are answered beside the JSON. */
const largeText = 16_000;

/** What an end needs of a record, beside what is told of it. */
export const restFields = ['idem', 'rctx', 'kids', 'bound', 'parent', 'out'] as const;

const prelude = /* lua */ `
local call=redis.call
local P=ARGV[1]
local now=tonumber(ARGV[2])
if now==0 then local t=call('TIME') now=t[1]*1000+math.floor(t[2]/1000) end
local format=string.format
local function f0(n) return format('%d',n) end
local ms,us=f0(now),f0(math.floor(now/1000))
local META,DATA=ARGV[3],ARGV[4]
local DUE=P..'due'
local function may(from,to) return string.find('${edgeText}','|'..from..'>'..to..'|',1,true)~=nil end
local function known(s) return string.find('|${states.join('|')}|','|'..s..'|',1,true)~=nil end
local function ended(s) return s=='SUCCEEDED' or s=='FAILED' or s=='CANCELLED' or s=='TIMEOUT' or s=='DENIED' end
local function held(s) return s=='DISPATCHED' or s=='RUNNING' end
local function foreign(worker) return worker and string.sub(worker,1,${pseudoPrefix.length})=='${pseudoPrefix}' end
local function num(v)
  local n=tonumber(v)
  if not n or n~=n or n==math.huge or n==-math.huge then error('no number where one was due') end
  return n
end
local function need(v) return v or error('a field is missing') end
-- The text at a key that others may write as well: nothing when it holds something else.
local function value(key) local v=redis.pcall('GET',key) return type(v)=='string' and v or false end
-- One job of a call. A record that no script of ours left like that (a field that is no number, a key of another type) is answered as
-- if it were not there, and told: it must not take the other jobs of the call down. The server's own trouble (OOM, READONLY) goes on.
local BAD={}
local function guard(id,none,f,...)
  local ok,answer=pcall(f,...)
  if ok then return answer end
  local err=type(answer)=='table' and answer.err or tostring(answer)
  local word=string.match(err,'%u%u%u+')
  if word and word~='ERR' and word~='WRONGTYPE' then error({err=err}) end
  BAD[#BAD+1]=id BAD[#BAD+1]=err
  return none
end
-- What a script answers: one text of JSON, since a client takes ten times as long to read as many values one by one. Large texts go beside
-- it as they are ({text=n} stands in their place): in JSON their bytes may become six times as many, and Redis does nothing else meanwhile.
local EV,TEXTS={},{}
local function beside(v)
  if not v or #v<${largeText} then return v end
  TEXTS[#TEXTS+1]=v
  return {text=#TEXTS}
end
local function reply(results)
  local json=cjson.encode({results,EV,BAD})
  if #TEXTS==0 then return json end
  return {json,unpack(TEXTS)}
end
-- A call about many jobs, 'stride' arguments each, the id first. 'none' is the answer for a job that is not there.
local function all(first,stride,none,f)
  local out={}
  for i=first,#ARGV,stride do out[#out+1]=guard(ARGV[i],none,f,unpack(ARGV,i,i+stride-1)) end
  return out
end
local function each(...) return reply(all(...)) end
-- Fields of a record, after its state, tenant and fence. All of ours have these; nothing at all is no record.
local function record(id,...)
  local m=call('HMGET',P..'job:meta:'..id,'state','tenant','fence',...)
  if m[1] and not (known(m[1]) and m[2] and tonumber(m[3])) then error('no record of ours') end
  return m
end
-- One step: the job's own list, the tenant's stream with a link to the entry before, and the answer to the caller.
local LAST={}
local function ev(id,tenant,state,fence)
  local path=P..'job:events:'..id
  if call('RPUSH',path,us..'|'..state)>${pathLength} then call('LTRIM',path,-${pathLength},-1) end
  local k=P..'ev:'..tenant
  local prev=LAST[tenant]
  if not prev then local x=call('XREVRANGE',k,'+','-','COUNT',1) prev=x[1] and x[1][1] or '' end
  local nid=call('XADD',k,'MAXLEN','~',${streamLength},'*','job',id,'state',state,'fence',fence,'ts',ms,'prev',prev)
  -- A tenant that is gone leaves none. Once in 1,000 s is enough: the first seven of the thirteen digits of a time in ms.
  if string.sub(prev,1,7)~=string.sub(nid,1,7) then call('PEXPIRE',k,${streamMs}) end
  LAST[tenant]=nid
  for _,v in ipairs({nid,prev,tenant,id,state,fence,ms}) do EV[#EV+1]=v end
end
-- At once, as every key that a guarantee rests on: a script that fails later leaves no job that nobody looks at.
local function due(id,at) call('ZADD',DUE,f0(at),id) end
-- The ready queue: per (pool, lane, priority) a ring of tenants by virtual time, per (ring, tenant) jobs by acceptance time.
local function ring(pool,lane,prio) return P..'q:'..pool..':'..lane..':'..prio end
local QUEUED={} -- rings that a tenant was entered in by this call
local function count(pool,lane,n)
  local field=pool..' '..lane
  if call('HINCRBY',P..'qn',field,n)<=0 then call('HDEL',P..'qn',field) end
end
local function enqueue(id,tenant,pool,lane,prio,created)
  local rk=ring(pool,lane,prio)
  local tq=rk..':'..tenant
  call('ZADD',tq,created,id)
  count(pool,lane,1)
  if QUEUED[tq] then return end
  -- A returning tenant starts at the pool's current virtual time (member ''), never in the past; one that is there stays.
  local v=call('ZMSCORE',P..'vt:'..pool,tenant,'')
  call('ZADD',rk,'NX',math.max(tonumber(v[1] or '0'),tonumber(v[2] or '0')),tenant)
  QUEUED[tq]=true
end
local function dequeue(id,tenant,pool,lane,prio)
  local rk=ring(pool,lane,prio)
  if call('ZREM',rk..':'..tenant,id)==1 then
    count(pool,lane,-1)
    if call('EXISTS',rk..':'..tenant)==0 then call('ZREM',rk,tenant) end
  end
end
-- A job in back-off or in the ready queue: SCHEDULED, and due when the back-off or the total deadline ends.
local function schedule(id,tenant,pool,lane,prio,created,deadline,delay)
  local rk=P..'job:meta:'..id
  if delay>0 then
    call('HSET',rk,'q','0','nb',f0(now+delay))
    due(id,math.min(now+delay,deadline))
  else
    call('HSET',rk,'q','1','nb','0','queued',ms)
    enqueue(id,tenant,pool,lane,prio,created)
    due(id,deadline)
  end
end
-- What the world is told of an end.
local ENDS={'state','tenant','topic','trace','worker','result_ptr','exec_ms','error_code','error','arts'}
local function endof(id)
  local m=call('HMGET',P..'job:meta:'..id,unpack(ENDS))
  local out={id} for i=1,#ENDS do out[i+1]=m[i] or '' end
  return out
end
-- A redacted payload that is no longer wanted, and the key that it was moved from, in case that was written again; it may be another job's.
local function unwanted(id,rctx)
  call('PEXPIRE',P..rctx,DATA)
  local other=id..'-'..string.sub(rctx,#id+6)
  if call('EXISTS',P..'job:meta:'..other)==0 then call('PEXPIRE',P..'ctx:'..other,DATA) end
end
-- The fields that an end needs beside what is told of it.
local REST={${restFields.map((field) => `'${field}'`).join(',')}}
-- Steps of a workflow's run: their time is over with it, so that whatever is done with one next leaves it due, and whoever looks ends it.
-- One that has ended before its run is not one of them any more.
local function kin(id,kids,bound,parent)
  if bound then call('SREM',P..'kids:'..parent,id) end
  if not kids then return end
  local k=P..'kids:'..id
  for _,kid in ipairs(call('SMEMBERS',k)) do
    due(kid,now)
    call('HSET',P..'job:meta:'..kid,'deadline',ms,'orphan',id)
  end
  call('UNLINK',k)
end
-- The end of a job: state, times, the life of its keys, one more look for the announcement. 'sets' are further fields. Answers the end;
-- 'told' is that end, and 'rest' the fields of REST, by who has read the record already.
local function finish(id,tenant,to,fence,sets,told,rest)
  local rk=P..'job:meta:'..id
  call('HSET',rk,'state',to,'updated_at',us,'ended',ms,unpack(sets))
  call('DEL',P..'job:req:'..id)
  call('PEXPIRE',rk,META)
  call('PEXPIRE',P..'job:events:'..id,META)
  call('PEXPIRE',P..'ctx:'..id,DATA)
  if not told then told,rest=endof(id),call('HMGET',rk,unpack(REST)) end
  local idem,rctx,kids,bound,parent,out=unpack(rest)
  local worker,arts=told[6],told[11]
  if idem then call('PEXPIRE',P..'idem:'..tenant..':'..idem,META) end
  if rctx then unwanted(id,rctx) end
  if out then call('PEXPIRE',P..'out:'..id,DATA) end
  if foreign(worker) then call('PEXPIRE',P..'res:'..id,DATA,'NX') end -- such a worker gives it none
  if arts~='' then for key in string.gmatch(arts,'[^ ]+') do call('PEXPIRE',P..key,DATA) end end
  due(id,now+${announceMs})
  if kids or bound then kin(id,kids,bound,parent) end
  ev(id,tenant,to,fence)
  return told
end
`;

/** A job script: the prelude, then the operation. */
export function jobScript(name: string, body: string): Script {
  return script(name, `${prelude}${body}`);
}
