-- Lets a tier rest; a rest that lasts longer stays.
-- KEYS[1] rest. ARGV: 1 microseconds from now.
local clock = redis.call('TIME')
local until_us = tonumber(clock[1]) * 1000000 + tonumber(clock[2]) + tonumber(ARGV[1])
if until_us > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], string.format('%.0f', until_us), 'PX', math.ceil(tonumber(ARGV[1]) / 1000) + 1)
end
return 1
