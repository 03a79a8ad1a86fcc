-- Add what one process has counted of some sessions to their records, and list the sessions that come first.
-- KEYS[1] the sessions by last use   KEYS[2] by cost   KEYS[3] by what caches kept
-- then for each session KEYS[n] its record   KEYS[n+1] its events
-- ARGV[1] ttl of the lists in seconds   ARGV[2] how many sessions a list has   ARGV[3] how many events a session has
-- ARGV[4] how many bytes they have   then for each session ARGV[n] a JSON array:
--   name, ttl in seconds, time of use (0: it was not used), {model, route, client}, {field, what is added, …}, {event, …}
-- Returns for each session the model that had served it before, or an empty string.
-- A script because one round trip does for a hundred sessions what would be a dozen commands for each, and because
-- the lists are ordered by sums that only Redis knows. What is no hash or list of ours begins anew.
local function append(key, lines)
  for _, line in ipairs(lines) do
    redis.call("RPUSH", key, line)
  end
  local held = redis.call("LRANGE", key, -tonumber(ARGV[3]), -1)
  local first, bytes = #held, #held[#held]
  while first > 1 and bytes + #held[first - 1] <= tonumber(ARGV[4]) do
    first = first - 1
    bytes = bytes + #held[first]
  end
  redis.call("LTRIM", key, first - #held - 1, -1)
end

local function count(key, at, words, sums)
  local before = redis.call("HGET", key, "model")
  if not before then
    redis.call("HSET", key, "first", at, "client", words[3], "model", "", "route", "")
  end
  redis.call("HSET", key, "last", at)
  if words[1] ~= "" and words[1] ~= before then
    redis.call("HSET", key, "model", words[1], "route", words[2])
  end
  local totals = {}
  for n = 1, #sums, 2 do
    totals[sums[n]] = redis.call("HINCRBY", key, sums[n], string.format("%.0f", sums[n + 1]))
  end
  return before or "", totals
end

local function renewed(key, change, ...)
  local done, first, second = pcall(change, key, ...)
  if not done then
    redis.call("DEL", key)
    first, second = change(key, ...)
  end
  return first, second
end

local before = {}
for n = 5, #ARGV do
  local name, ttl_s, at, words, sums, lines = unpack(cjson.decode(ARGV[n]))
  local record, events = KEYS[2 * n - 6], KEYS[2 * n - 5]
  before[n - 4] = ""
  if at > 0 then
    local totals
    before[n - 4], totals = renewed(record, count, string.format("%.3f", at), words, sums)
    redis.call("ZADD", KEYS[1], string.format("%.3f", at), name)
    for place, field in pairs({ [2] = "cost", [3] = "kept" }) do
      if totals[field] then
        redis.call("ZADD", KEYS[place], totals[field], name)
      end
    end
  end
  if #lines > 0 then
    renewed(events, append, lines)
  end
  redis.call("EXPIRE", record, ttl_s)
  redis.call("EXPIRE", events, ttl_s)
end
for place = 1, 3 do
  redis.call("ZREMRANGEBYRANK", KEYS[place], 0, -tonumber(ARGV[2]) - 1)
  redis.call("EXPIRE", KEYS[place], ARGV[1])
end
return before
