-- Move a session to another model only if its pin still names the one that the caller saw.
-- KEYS[1] pin   ARGV[1] the model's name as it was seen   ARGV[2] the new pin
-- Returns the value that stands afterwards, or nothing when there is no pin: a pin that has expired is not restored.
-- The pin keeps its ttl. A script because Redis has no compare-and-set.
local value = redis.call("GET", KEYS[1])
if not value then
  return false
end
local readable, pin = pcall(cjson.decode, value)
if readable and type(pin) == "table" and pin.model_name == ARGV[1] then
  redis.call("SET", KEYS[1], ARGV[2], "KEEPTTL")
  return ARGV[2]
end
return value
