-- Add what one process has measured of some models to the averages of all processes.
-- KEYS[1] observed   ARGV[1] half-life in seconds   ARGV[2] ttl in seconds
-- then for each model ARGV[n] its name   ARGV[n+1] seconds to the first byte, added up   ARGV[n+2] how many answers
-- Returns nothing. A script because Redis cannot multiply: the old average is decayed and added to in one step. The
-- formula is that of Average.plus in shared/domain/latency.py. The clock is that of Redis, so that all processes agree.
local function finite(number)
  return number and number == number and math.abs(number) ~= math.huge
end

local function average(value)
  local readable, it = pcall(cjson.decode, value or "")
  if not readable or type(it) ~= "table" then
    return 0, 0, 0
  end
  local total, weight, as_of = tonumber(it[1]), tonumber(it[2]), tonumber(it[3])
  if not (finite(total) and finite(weight) and finite(as_of)) or total < 0 or weight <= 0 then
    return 0, 0, 0
  end
  return total, weight, as_of
end

local clock = redis.call("TIME")
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
for n = 3, #ARGV, 3 do
  local total, weight, as_of = average(redis.call("HGET", KEYS[1], ARGV[n]))
  local kept = 0.5 ^ (math.max(0, now - as_of) / tonumber(ARGV[1]))
  total, weight = total * kept + tonumber(ARGV[n + 1]), weight * kept + tonumber(ARGV[n + 2])
  redis.call("HSET", KEYS[1], ARGV[n], string.format("[%.17g,%.17g,%.3f]", total, weight, now))
end
redis.call("EXPIRE", KEYS[1], ARGV[2])
