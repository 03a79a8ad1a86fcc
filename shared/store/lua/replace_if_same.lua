-- Replace a value only if it is still the value that the caller saw.
-- KEYS[1] key   ARGV[1] the value that was seen, byte for byte, empty for none   ARGV[2] new   ARGV[3] ttl in seconds
-- Returns 1 when it was replaced, 0 when something else stands. A value of another type than a string counts as none.
-- A script because Redis has no compare-and-set.
local value = redis.pcall("GET", KEYS[1])
if type(value) ~= "string" then
  value = ""
end
if value ~= ARGV[1] then
  return 0
end
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
return 1
