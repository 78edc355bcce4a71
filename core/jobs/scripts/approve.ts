// approve: a person lets a job go on that the policy held for one. It is judged again at once; what the record then says for it is
// bound to the body and to the policy, so that the word outlives a change of neither.
import { jobScript } from './prelude.ts';

export const approve = jobScript(
  'approve',
  /* lua */ `
return each(5,4,{'missing',''},function(id,tenant,digest,principal)
  local rk=P..'job:meta:'..id
  local m=record(id,'digest','policy')
  local st=m[1]
  if not st or m[2]~=tenant then return {'missing',''} end
  if m[4]~=digest then return {'digest',st} end
  -- SCHEDULED may become PENDING as well, but by a claim alone.
  if st~='AWAITING_APPROVAL' or not may(st,'PENDING') then return {'state',st} end
  local hash=need(string.match(m[5] or '','^%d+:(.*)$'))
  call('HSET',rk,'state','PENDING','updated_at',us,'appr',digest..' '..hash,'apprby',principal)
  due(id,now)
  ev(id,tenant,'PENDING',m[3])
  return {'approved','PENDING'}
end)`,
);
