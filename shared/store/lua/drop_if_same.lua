-- Drop a value that is no pin, but only if it is still the value that the caller saw.
-- KEYS[1] pin   ARGV[1] the value that was seen, byte for byte
-- Returns 1 when it was dropped, 0 when something else stands.
-- A script because Redis has no compare-and-delete.
if redis.call("GET", KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call("DEL", KEYS[1])
