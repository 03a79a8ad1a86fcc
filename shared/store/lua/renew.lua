-- Read a pin, renew its ttl, but never beyond the time at which it ends for good, and note that it was used.
-- KEYS[1] pin   ARGV[1] ttl in seconds; 0: only a pin that says its own is renewed
-- Returns the pin as it was, or nothing, also when its time has ended. A script because the pin itself says how long it
-- lives after each use (`ttl_s`), when it ends for good (`until`, in seconds since the epoch) and when it was used last
-- (`used_at`, which is replaced), and because reading and renewing must be one step: a late renewal could lengthen
-- another pin, and of several requests that find a pin long unused only the first one may.
local value = redis.call("GET", KEYS[1])
if not value then
  return false
end
local ttl = tonumber(ARGV[1])
local readable, pin = pcall(cjson.decode, value)
if readable and type(pin) == "table" then
  local now = redis.call("TIME")[1]
  if type(pin["ttl_s"]) == "number" then
    ttl = math.floor(pin["ttl_s"])
  end
  if type(pin["until"]) == "number" then
    local left = math.floor(pin["until"] - tonumber(now))
    if left <= 0 then
      redis.call("DEL", KEYS[1])
      return false
    end
    ttl = math.min(ttl, left)
  end
  if type(pin["used_at"]) == "number" then
    -- Within a JSON text a quote is escaped: this can only be the field itself.
    redis.call("SET", KEYS[1], (string.gsub(value, '"used_at":%d+', '"used_at":' .. now, 1)), "KEEPTTL")
  end
end
if ttl > 0 then
  redis.call("EXPIRE", KEYS[1], ttl)
end
return value
