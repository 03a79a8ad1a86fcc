-- Add what one process has counted of some sessions to their records, and list the sessions that come first.
-- KEYS[1] the sessions by last use   KEYS[2] by cost   KEYS[3] by what caches kept
-- then for each session KEYS[n] its record   KEYS[n+1] its events
-- ARGV[1] ttl of the lists in seconds   ARGV[2] how many sessions a list has   ARGV[3] how many events a session has
-- ARGV[4] how many bytes they have   ARGV[5] a JSON array, in it for each session: its name, ttl in seconds (its record
--   and events both live for the longest that they were ever given), time of use (0: it was not used),
--   {model, route, client}, what is added to each of FIELDS, {event, …}
-- Returns for each session the model that had served it before, or an empty string.
-- A script because one round trip does for a hundred sessions what would be a dozen commands for each, and because
-- the lists are ordered by sums that only Redis knows. What is no hash or list of ours begins anew.
local FIELDS = { "turns", "input", "cached", "output", "moves", "cost", "kept" }
local LISTED = { [6] = 2, [7] = 3 }

local function whole(text)
  local number = tonumber(text or 0)
  return number and number == number and math.abs(number) < 1e15 and number or 0
end

for place = 1, 3 do
  local kind = redis.call("TYPE", KEYS[place]).ok
  if kind ~= "zset" and kind ~= "none" then
    redis.call("DEL", KEYS[place])
  end
end

-- The score that a session needs to be among the first.
local least = {}
for place = 2, 3 do
  local last = redis.call("ZRANGE", KEYS[place], -tonumber(ARGV[2]), -tonumber(ARGV[2]), "WITHSCORES")
  least[place] = last[2] and tonumber(last[2]) or -math.huge
end

local function append(key, lines)
  redis.call("RPUSH", key, unpack(lines))
  local held = redis.call("LRANGE", key, -tonumber(ARGV[3]), -1)
  local first, bytes = #held, #held[#held]
  while first > 1 and bytes + #held[first - 1] <= tonumber(ARGV[4]) do
    first = first - 1
    bytes = bytes + #held[first]
  end
  redis.call("LTRIM", key, first - #held - 1, -1)
end

local function count(key, name, at, words, added)
  local was = redis.call("HMGET", key, "model", unpack(FIELDS))
  local model, change = was[1], { "last", at }
  if words[1] ~= "" and words[1] ~= model then
    change = { "last", at, "model", words[1], "route", words[2] }
  end
  for n, more in ipairs(added) do
    if more ~= 0 then
      local total = string.format("%.0f", whole(was[n + 1]) + more)
      change[#change + 1] = FIELDS[n]
      change[#change + 1] = total
      local place = LISTED[n]
      if place and tonumber(total) > least[place] then
        redis.call("ZADD", KEYS[place], total, name)
      end
    end
  end
  redis.call("HSET", key, unpack(change))
  redis.call("HSETNX", key, "first", at)
  if words[3] ~= "" then
    redis.call("HSETNX", key, "client", words[3])
  end
  redis.call("ZADD", KEYS[1], at, name)
  return model or ""
end

-- Another error, such as that Redis is out of memory, ends the script: to delete would lose what is there.
local function renewed(change, key, ...)
  local done, answer = pcall(change, key, ...)
  if done then
    return answer
  end
  local why = type(answer) == "table" and answer.err or answer
  if not string.find(tostring(why), "WRONGTYPE", 1, true) then
    error(answer, 0)
  end
  redis.call("DEL", key)
  return change(key, ...)
end

local before = {}
for n, note in ipairs(cjson.decode(ARGV[5])) do
  local name, ttl_s, at, words, added, lines = unpack(note)
  local record, events = KEYS[2 * n + 2], KEYS[2 * n + 3]
  before[n] = at > 0 and renewed(count, record, name, string.format("%.3f", at), words, added) or ""
  if #lines > 0 then
    renewed(append, events, lines)
  end
  local longest_s = math.max(ttl_s, redis.call("TTL", record), redis.call("TTL", events))
  redis.call("EXPIRE", record, longest_s)
  redis.call("EXPIRE", events, longest_s)
end
for place = 1, 3 do
  redis.call("ZREMRANGEBYRANK", KEYS[place], 0, -tonumber(ARGV[2]) - 1)
  redis.call("EXPIRE", KEYS[place], ARGV[1])
end
return before
