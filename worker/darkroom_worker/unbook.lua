-- Gives back what was booked and will not be sent, so that another worker may have it.
-- KEYS[1] free, KEYS[2] day, KEYS[3] spend. ARGV: 1 requests, 2 money a request, 3 window, then the
-- slots in microseconds. What has been lost meanwhile is left alone: it was seeded without these.
for i = 4, #ARGV do
  redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i])
end
if #ARGV > 3 then
  redis.call('PEXPIRE', KEYS[1], 60000)
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('DECRBY', KEYS[2], ARGV[1])
end
if redis.call('EXISTS', KEYS[3]) == 1 and tonumber(ARGV[2]) > 0 then
  local clock = redis.call('TIME')
  local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
  local bucket = string.format('%.0f', math.floor(now / (tonumber(ARGV[3]) / 60)))
  redis.call('HINCRBY', KEYS[3], bucket, string.format('-%.0f', tonumber(ARGV[1]) * tonumber(ARGV[2])))
end
return 1
