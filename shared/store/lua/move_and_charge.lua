-- Move a session to another model and book what that costs, only if its pin still names the model that the caller saw,
-- no operator holds it, and the cost fits into what the session has saved.
-- KEYS[1] pin   KEYS[2] the session's ledger
-- ARGV[1] the model's name as it was seen   ARGV[2] the new pin   ARGV[3] its ttl in seconds; 0: as it was
-- ARGV[4] the cost, in millionths of a US$   ARGV[5] how many percent of its savings it may spend   ARGV[6] ledger's ttl
-- ARGV[7] the ledger's field of the new model   ARGV[8] what its prompt cache holds from now on
-- Returns the pin that stands afterwards, or nothing. A script because of two requests at once the second must see what
-- the first has spent.
local value = redis.call("GET", KEYS[1])
if not value then
  return false
end
local readable, pin = pcall(cjson.decode, value)
if not (readable and type(pin) == "table" and pin.model_name == ARGV[1] and pin.held ~= true) then
  return value
end
local cost = tonumber(ARGV[4])
if cost > 0 then
  local saved = tonumber(redis.call("HGET", KEYS[2], "saved") or 0) or 0
  local spent = tonumber(redis.call("HGET", KEYS[2], "spent") or 0) or 0
  if spent + cost > saved * tonumber(ARGV[5]) / 100 then
    return value
  end
  redis.call("HINCRBYFLOAT", KEYS[2], "spent", ARGV[4])
end
redis.call("HSET", KEYS[2], ARGV[7], ARGV[8])
redis.call("EXPIRE", KEYS[2], ARGV[6])
if tonumber(ARGV[3]) > 0 then
  redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
else
  redis.call("SET", KEYS[1], ARGV[2], "KEEPTTL")
end
return ARGV[2]
