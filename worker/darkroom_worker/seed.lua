-- Writes down what SQL remembers, where Redis does not: whoever comes second changes nothing.
-- KEYS as in book.lua. ARGV: 1 gap (0: no rate), 2 the first slot in microseconds from now,
-- 3 most a day (0), 4 requests of this day, 5 milliseconds its key is kept, 6 most in flight (0),
-- 7 how many may be for all we know, 8 microseconds until every worker has said how many it has,
-- 9 most money a window (0), 10 window, then pairs of microseconds ago and nano-dollars.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local function text(number)
  return string.format('%.0f', number)
end

if tonumber(ARGV[1]) > 0 then
  local first = now + tonumber(ARGV[2])
  redis.call('SET', KEYS[2], text(first), 'NX', 'PX', text(math.ceil((first - now) / 1000) + 120000))
end
if tonumber(ARGV[3]) > 0 then
  redis.call('SET', KEYS[4], ARGV[4], 'NX', 'PX', ARGV[5])
end
if tonumber(ARGV[6]) > 0 and redis.call('EXISTS', KEYS[5]) == 0 then
  redis.call('HSET', KEYS[5], 'forgotten', ARGV[7] .. ':' .. text(now + tonumber(ARGV[8])))
  redis.call('PEXPIRE', KEYS[5], 60000)
end
if tonumber(ARGV[9]) > 0 and redis.call('EXISTS', KEYS[6]) == 0 then
  local window = tonumber(ARGV[10])
  local bucket = window / 60
  redis.call('HINCRBY', KEYS[6], text(math.floor(now / bucket)), 0)
  for i = 11, #ARGV, 2 do
    redis.call('HINCRBY', KEYS[6], text(math.floor((now - tonumber(ARGV[i])) / bucket)), ARGV[i + 1])
  end
  redis.call('PEXPIRE', KEYS[6], text(math.ceil(window / 500)))
end
return 1
