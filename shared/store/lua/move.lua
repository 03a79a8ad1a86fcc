-- Move a session to another model only if its pin still names the one that the caller saw, and no operator holds it.
-- KEYS[1] pin   ARGV[1] the model's name as it was seen   ARGV[2] the new pin   ARGV[3] its ttl in seconds; 0: as it was
-- ARGV[4] 1: the caller saw that it is held
-- Returns the value that stands afterwards, or nothing when there is no pin: a pin that has expired is not restored.
-- A script because Redis has no compare-and-set.
local value = redis.call("GET", KEYS[1])
if not value then
  return false
end
local readable, pin = pcall(cjson.decode, value)
local same = readable and type(pin) == "table" and pin.model_name == ARGV[1]
if same and (pin.held ~= true or ARGV[4] == "1") then
  if tonumber(ARGV[3] or 0) > 0 then
    redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
  else
    redis.call("SET", KEYS[1], ARGV[2], "KEEPTTL")
  end
  return ARGV[2]
end
return value
