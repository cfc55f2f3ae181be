-- Slots of one lane, by the server's own clock; put in front of the scripts that hand them out.
-- All times are microseconds. Numbers travel as text: Lua would round the large ones.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local function text(number)
  return string.format('%.0f', number)
end

-- Up to k slots from `earliest` to `last`: those that were given back first, then new ones `gap`
-- apart. Returns them in order, and when the next one would be.
local function take(next_key, free_key, k, gap, earliest, last)
  redis.call('ZREMRANGEBYSCORE', free_key, '-inf', '(' .. text(now))
  local slots = redis.call('ZRANGEBYSCORE', free_key, text(earliest), text(last), 'LIMIT', 0, k)
  if #slots > 0 then
    redis.call('ZREM', free_key, unpack(slots))
  end
  local arrival = math.max(earliest, tonumber(redis.call('GET', next_key) or '0'))
  local fresh = false
  while #slots < k and arrival <= last do
    slots[#slots + 1] = text(arrival)
    arrival = arrival + gap
    fresh = true
  end
  if fresh then
    -- The key must outlive its own arrival time, or a long run would burst when it expires.
    redis.call('SET', next_key, text(arrival), 'PX', text(math.ceil((arrival - now) / 1000) + 120000))
  end
  table.sort(slots, function(a, b) return tonumber(a) < tonumber(b) end)
  return slots, arrival
end
