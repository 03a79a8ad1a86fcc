-- Drop ids from a list of jobs whose jobs have ended: a job that is past its ttl has no key any more.
-- KEYS[1] list   KEYS[n+1] the key of job n   ARGV[n] the id of job n
-- Returns how many were dropped.
-- A script because an id may be queued again at any moment: to look for its job and to drop it must be one step.
local dropped = 0
for n = 1, #ARGV do
  if redis.call("EXISTS", KEYS[n + 1]) == 0 then
    dropped = dropped + redis.call("LREM", KEYS[1], 1, ARGV[n])
  end
end
return dropped
