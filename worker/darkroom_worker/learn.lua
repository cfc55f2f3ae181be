-- Books up to k slots of one model at the rate that was learned, after learning from answers.
-- KEYS[1] learned  rate (a minute), slow (1 until the first cut), cut (when it was last cut)
-- KEYS[2] next, KEYS[3] free: as in book.lua; KEYS[4] models, the tier's, for people to see
-- ARGV: 1 k, 2 lead, 3 horizon, 4 first rate, 5 least, 6 most, 7 answers that were good, 8 seconds of
-- a round, 9 when the newest throttled request was sent (0: none), 10 seconds it was told to wait,
-- 11 the model.
-- Returns {now, wait, rate, slot, slot, ...}.
local k, lead, horizon = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first, least, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local good, round, throttled, told = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local known = redis.call('HMGET', KEYS[1], 'rate', 'slow', 'cut')
local rate = tonumber(known[1] or first)
local slow, cut = (known[2] or '1') == '1', tonumber(known[3] or '0')
local arrival = tonumber(redis.call('GET', KEYS[2]) or '0')

-- A rate that nobody uses up is not proven: it grows only while slots are booked as they come.
if good > 0 and arrival + 2 * 60000000 / rate > now then
  if slow then
    rate = rate + good * 60 / round -- doubles each round: as many answers come in it as were sent
  else
    local clean = math.min(30, (now - cut) / 60000000)
    rate = rate + good * math.max(1 / rate, 0.1) * (1 + clean) -- a tenth a minute, then faster
  end
end
-- Answers to what was sent before the last cut, or booked before it, say nothing new.
if throttled > cut + (cut > 0 and horizon or 0) then
  rate = rate * (slow and 0.5 or 0.7)
  slow, cut = false, now
  redis.call('DEL', KEYS[3])
  arrival = math.max(arrival, now + 60000000 / math.max(rate, least))
end
rate = math.max(least, math.min(most, rate))
if told > 0 then
  arrival = math.max(arrival, now + told * 1000000)
end
if arrival > 0 then
  redis.call('SET', KEYS[2], text(arrival), 'PX', text(math.ceil(math.max(0, arrival - now) / 1000) + 120000))
end
redis.call('HSET', KEYS[1], 'rate', string.format('%.4f', rate), 'slow', slow and '1' or '0',
  'cut', text(cut), 'seen', text(now))
redis.call('SADD', KEYS[4], ARGV[11])
redis.call('PEXPIRE', KEYS[4], 7 * 24 * 3600 * 1000)
redis.call('PEXPIRE', KEYS[1], 7 * 24 * 3600 * 1000)
local slots
slots, arrival = take(KEYS[2], KEYS[3], k, 60000000 / rate, now + lead, now + horizon)
local wait = #slots < k and math.max(0, arrival - now - horizon) or 0
return {text(now), text(wait), string.format('%.4f', rate), unpack(slots)}
