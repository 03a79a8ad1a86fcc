-- Drop a value that is no pin, but only if it is still the value that the caller saw.
-- KEYS[1] pin   ARGV[1] the value that was seen, byte for byte; without it: a value of another type than a string
-- Returns 1 when it was dropped, 0 when something else stands.
-- A script because Redis has no compare-and-delete.
local value = redis.pcall("GET", KEYS[1])
local other_type = type(value) == "table"  -- an error
if (other_type and #ARGV == 0) or (not other_type and value == ARGV[1]) then
  return redis.call("DEL", KEYS[1])
end
return 0
