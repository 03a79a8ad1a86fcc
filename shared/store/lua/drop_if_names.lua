-- Drop a pin only if it still names the model that the caller saw.
-- KEYS[1] pin   ARGV[1] the model's qualified name
-- Returns 1 when it was dropped, 0 when something else stands.
-- A script because Redis has no compare-and-delete; it compares the model, not the bytes, since other
-- implementations that share the key may write the same JSON with other white space.
local value = redis.call("GET", KEYS[1])
if not value then
  return 0
end
local readable, pin = pcall(cjson.decode, value)
if not readable or type(pin) ~= "table" or pin.model_name ~= ARGV[1] then
  return 0
end
return redis.call("DEL", KEYS[1])
