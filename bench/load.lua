-- wrk's part of bench/load.py: sends the requests of a file in turn and checks every answer.
-- Arguments: the file, the header that an answer must have, the one it must not have ("-": any).
-- The file: of each request its length in bytes, a line end, its bytes.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  required, forbidden = args[2], args[3]
  requests, sent, bad, first_bad = {}, 0, 0, ""
  while true do
    local length = file:read("*n")
    if not length then break end
    file:read(1)
    table.insert(requests, file:read(length))
  end
  file:close()
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function response(status, headers, body)
  local fault = (status < 200 or status > 299) and tostring(status) or nil
  local has = required == "-"
  for name, value in pairs(headers) do
    local lower = name:lower()
    if lower == required then has = true end
    if lower == forbidden then fault = "with " .. forbidden .. ": " .. value end
  end
  if not fault and not has then fault = "without " .. required end
  if fault then
    bad = bad + 1
    if bad == 1 then first_bad = (fault .. ": " .. body:sub(1, 200)):gsub("[^%w%p ]", " "):gsub('["\\]', "'") end
  end
end

function done(summary, latency)
  local bad, first_bad = 0, ""
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("bad")
    if first_bad == "" then first_bad = thread:get("first_bad") end
  end
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\nRESULT {"requests":%d,"seconds":%.6f,"p50_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,"errors":%d,"first_error":"%s"}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, bad + broken, broken > 0 and "connection broken or timed out" or first_bad))
end
