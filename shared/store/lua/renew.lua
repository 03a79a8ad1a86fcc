-- Read a pin and renew its ttl, but never beyond the time at which it ends for good.
-- KEYS[1] pin   ARGV[1] ttl in seconds; 0: only a pin that says its own is renewed
-- Returns the pin, or nothing. A script because the pin itself says how long it lives after each use (`ttl_s`) and when
-- it ends for good (`until`, in seconds since the epoch), and because reading and renewing must be one step: a late
-- renewal could lengthen another pin.
local value = redis.call("GET", KEYS[1])
if not value then
  return false
end
local ttl = tonumber(ARGV[1])
local readable, pin = pcall(cjson.decode, value)
if readable and type(pin) == "table" then
  if type(pin["ttl_s"]) == "number" then
    ttl = math.floor(pin["ttl_s"])
  end
  if type(pin["until"]) == "number" then
    ttl = math.min(ttl, math.floor(pin["until"] - tonumber(redis.call("TIME")[1])))
  end
end
if ttl > 0 then
  redis.call("EXPIRE", KEYS[1], ttl)
end
return value
