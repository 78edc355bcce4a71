// Reading: view, page, trace, transitions, look, recording, events, depths. Bounded work, one round trip each, nothing is written.
import { recordingName } from '#core/model/recording.ts';
import { jobScript, mostBytes } from './prelude.ts';
import { readScript } from './shown.ts';

// ARGV[5]: id, [6] tenant, [7] '1' for any tenant.
export const view = readScript(
  'view',
  /* lua */ `
local function row(id)
  local m=shown(id)
  return m[1] and (ARGV[7]=='1' or m[2]==ARGV[6]) and m
end
return reply(guard(ARGV[5],false,row,ARGV[5]))`,
);

/** Jobs that one page looks at, at most, when a filter passes few. */
export const pageLook = 1000;

// ARGV[5]: tenant, [6] limit, [7] cursor id, [8] cursor score, [9] state, [10] topic, [11] trace, [12] after, [13] before (unix s; '' for none).
export const page = readScript(
  'page',
  /* lua */ `
local tenant,limit,cid,cscore=ARGV[5],tonumber(ARGV[6]),ARGV[7],ARGV[8]
local state,topic,trace,after,before=ARGV[9],ARGV[10],ARGV[11],tonumber(ARGV[12]),tonumber(ARGV[13])
local jobs=P..'jobs:'..tenant
local start=0
-- Whether a comes after b, by bytes as Redis sorts members; Lua itself compares by the locale.
local function after_bytes(a,b)
  for i=1,math.min(#a,#b) do
    local x,y=string.byte(a,i),string.byte(b,i)
    if x~=y then return x>y end
  end
  return #a>#b
end
if cid~='' then
  local r=call('ZREVRANK',jobs,cid)
  if r then start=r+1
  else
    -- It is no longer listed. After all that is newer, and what came before it among those of the same millisecond.
    start=call('ZCOUNT',jobs,'('..cscore,'+inf')
    for _,other in ipairs(call('ZREVRANGEBYSCORE',jobs,cscore,cscore)) do
      if after_bytes(cid,other) then break end
      start=start+1
    end
  end
end
local out,looked,last,more={},0,false,false
local function row(id)
  local m=record(id,'topic','trace','updated_at')
  if not m[1] or m[2]~=tenant then return false end
  local at=tonumber(m[6] or '0')
  if state~='' and m[1]~=state or topic~='' and m[4]~=topic or trace~='' and m[5]~=trace then return false end
  if after and at<after or before and at>before then return false end
  return {id,shown(id)}
end
while #out<limit and looked<${pageLook} do
  local want=math.min(${pageLook}-looked,math.max(limit-#out,20))
  local ids=call('ZREVRANGE',jobs,start,start+want-1,'WITHSCORES')
  if #ids==0 then break end
  for i=1,#ids,2 do
    if #out>=limit then more=true break end
    local id=ids[i]
    looked=looked+1 start=start+1 last={id,ids[i+1]}
    local r=guard(id,false,row,id)
    if r then out[#out+1]=r end
  end
  if more or #ids<want*2 then break end
end
local next=false
if last and (more or call('ZCARD',jobs)>start) then next=last end
return reply({out,next})`,
);

// ARGV[5]: trace, [6] tenant, [7] how many to look at; a larger trace is answered in part, whichever part.
export const trace = readScript(
  'trace',
  /* lua */ `
local out={}
local function row(id)
  local m=shown(id)
  return m[1] and m[2]==ARGV[6] and {id,m}
end
for _,key in ipairs({P..'trace:'..ARGV[5],P..'trace:'..ARGV[5]..':'..ARGV[6]}) do
  for _,id in ipairs(call('SRANDMEMBER',key,ARGV[7])) do
    local r=guard(id,false,row,id)
    if r then out[#out+1]=r end
  end
end
return reply(out)`,
);

// ARGV[5]: id, [6] tenant.
export const transitions = jobScript(
  'transitions',
  /* lua */ `
if call('HGET',P..'job:meta:'..ARGV[5],'tenant')~=ARGV[6] then return reply(false) end
return reply(call('LRANGE',P..'job:events:'..ARGV[5],0,-1))`,
);

// Per job: id, tenant. {record, the result's text or nothing}; nothing for no such job; 0 for a result that the answer has no room for:
// it is not even read. The first always has room.
export const look = readScript(
  'look',
  /* lua */ `
local room=${mostBytes}
return each(5,2,false,function(id,tenant)
  local m=shown(id)
  if not m[1] or m[2]~=tenant then return false end
  local key=m[4] and string.match(m[4],'^redis://(.+)$')
  if key and room<=0 then return 0 end
  local text=key and value(P..key)
  if text then room=room-#text end
  return {m,beside(text)}
end)`,
);

// ARGV[5]: id, [6] tenant. {record, payload, result, recording}, each text or nothing. Later attempts write later, so the last one is the newest.
export const recording = readScript(
  'recording',
  /* lua */ `
local function row(id)
  local m=shown(id)
  if not m[1] or m[2]~=ARGV[6] then return false end
  local rk=P..'job:meta:'..id
  local extra=call('HMGET',rk,'arts','rctx')
  local begin,last='res:'..id..'-${recordingName}-',false
  for key in string.gmatch(extra[1] or '','[^ ]+') do
    if string.sub(key,1,#begin)==begin and string.match(string.sub(key,#begin+1),'^%d+$') then last=key end
  end
  local result=m[4] and string.match(m[4],'^redis://(.+)$')
  local payload=value(P..(extra[2] or 'ctx:'..id))
  return {m,beside(payload),result and beside(value(P..result)),last and beside(value(P..last))}
end
return reply(guard(ARGV[5],false,row,ARGV[5]))`,
);

// ARGV[5]: tenant, [6] after, [7] limit.
export const events = jobScript(
  'events',
  /* lua */ `
local out={}
for _,e in ipairs(call('XRANGE',P..'ev:'..ARGV[5],ARGV[6]=='' and '-' or '('..ARGV[6],'+','COUNT',ARGV[7])) do
  local f={} for i=1,#e[2],2 do f[e[2][i]]=e[2][i+1] end
  out[#out+1]={e[1],f.prev,ARGV[5],f.job,f.state,f.fence,f.ts}
end
return reply(out)`,
);

/** A packet is shown up to this length of its base64: a reader holds very many of them. */
export const shownPacket = 16_000;

// ARGV[5]: tenant. Per job: id, '1' for its packet, '1' for its path. {the last event's id or nothing, per job {record, packet, path}}.
export const standing = readScript(
  'standing',
  /* lua */ `
local tenant,room=ARGV[5],${mostBytes}
local x=call('XREVRANGE',P..'ev:'..tenant,'+','-','COUNT',1)
return reply({x[1] and x[1][1] or false,all(6,3,false,function(id,packet,path)
  local m=shown(id)
  if not m[1] or m[2]~=tenant then return false end
  local p=packet=='1' and value(P..'job:req:'..id)
  if p and #p>math.min(${shownPacket},room) then p=false end
  if p then room=room-#p end
  return {m,p,path=='1' and call('LRANGE',P..'job:events:'..id,0,-1)}
end)})`,
);

/** Lanes that one answer names at most. Of more, which any tenant can make, each answer names others. */
export const mostDepths = 20_000;

export const depths = jobScript(
  'depths',
  /* lua */ `
local qn=P..'qn'
return reply(call('HLEN',qn)>${mostDepths} and call('HRANDFIELD',qn,${mostDepths},'WITHVALUES') or call('HGETALL',qn))`,
);
