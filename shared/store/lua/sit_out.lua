-- Let a model sit out, unless it does so already: a hundred requests that fail at once count as one failure.
-- KEYS[1] cooldown   KEYS[2] failures   KEYS[3] probe
-- ARGV[1] why and since when   ARGV[2] ttl of the cooldown in seconds   ARGV[3] ttl of the failures in seconds
-- Returns 1 when it sits out from now on, 0 when it did before. A cooldown that cannot be read counts as none.
-- A script because all keys must change in one step: a record without its cooldown would let every request probe.
local value = redis.pcall("GET", KEYS[1])
if type(value) == "string" then
  local readable, cooldown = pcall(cjson.decode, value)
  if readable and type(cooldown) == "table" then
    return 0
  end
end
redis.call("SET", KEYS[1], ARGV[1], "EX", ARGV[2])
redis.call("SET", KEYS[2], ARGV[1], "EX", ARGV[3])
redis.call("DEL", KEYS[3])
return 1
