-- Books up to k requests on every limit of a tier at once.
-- KEYS[1] rest    a time before which nothing is sent
-- KEYS[2] next    when the next new slot is
-- KEYS[3] free    slots that were given back, by their time
-- KEYS[4] day     requests of this Pacific day
-- KEYS[5] flying  requests in flight by worker, each with the time until which that is believed
-- KEYS[6] spend   money by bucket of the rolling window, in nano-dollars
-- ARGV: 1 worker, 2 k, 3 its requests in flight, 4 lead, 5 horizon, 6 gap (0: no rate), 7 shift of
-- the next slot, 8 most in flight (0: no limit), 9 lease, 10 most a day (0), 11 milliseconds the day's
-- key is kept, 12 most money a window (0), 13 money a request, 14 money to be corrected, 15 window.
-- Returns {state, now, wait, why, slot, slot, ...}. `wait` is until more can be had; `why` names the
-- limit that gave less than k. State `seed` means: nothing was booked, because what was counted is
-- gone; `why` names it.
local worker, k, mine = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local lead, horizon, gap, shift = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local fleet, lease = tonumber(ARGV[8]), tonumber(ARGV[9])
local daily, day_kept = tonumber(ARGV[10]), ARGV[11]
local budget, each, correction, window = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local bucket = window / 60
local why, wait = '', 0

local function less(most, reason, seconds)
  if most < k then
    k, why, wait = math.max(0, most), reason, math.max(wait, seconds)
  end
end

local function missing(on, key)
  return on and redis.call('EXISTS', key) == 0
end

-- What this worker has in flight is written down even where nothing can be booked, but not where
-- the others' is forgotten: that must be noticed by whoever books first.
local function fly(booked)
  if fleet > 0 then
    redis.call('HSET', KEYS[5], worker, text(mine + booked) .. ':' .. text(now + lease))
    redis.call('PEXPIRE', KEYS[5], text(math.ceil(lease / 1000) + 60000))
  end
end

local is_forgotten = missing(fleet > 0, KEYS[5])
if is_forgotten or missing(gap > 0, KEYS[2]) or missing(daily > 0, KEYS[4]) or missing(budget > 0, KEYS[6]) then
  if not is_forgotten then
    fly(0)
  end
  return {'seed', text(now), '0', 'lost'}
end

local rest = tonumber(redis.call('GET', KEYS[1]) or '0')
if rest > now + horizon then
  less(0, 'rest', rest - now - horizon)
end

if fleet > 0 then
  local others = 0
  local held = redis.call('HGETALL', KEYS[5])
  for i = 1, #held, 2 do
    local count, believed = string.match(held[i + 1], '^(%d+):(%d+)$')
    if tonumber(believed) < now then
      redis.call('HDEL', KEYS[5], held[i])
    elseif held[i] ~= worker then
      others = others + tonumber(count)
    end
  end
  less(fleet - others - mine, 'fleet', 250000)
end

if daily > 0 then
  less(daily - tonumber(redis.call('GET', KEYS[4])), 'day', 60000000)
end

local current = text(math.floor(now / bucket))
if budget > 0 then
  if correction ~= 0 then
    redis.call('HINCRBY', KEYS[6], current, text(correction))
  end
  local spent, oldest = 0, nil
  local buckets = redis.call('HGETALL', KEYS[6])
  for i = 1, #buckets, 2 do
    local ends = (tonumber(buckets[i]) + 1) * bucket + window
    if ends <= now then
      redis.call('HDEL', KEYS[6], buckets[i])
    else
      spent = spent + tonumber(buckets[i + 1])
      oldest = math.min(oldest or ends, ends)
    end
  end
  less(math.floor((budget - spent) / math.max(1, each)), 'spend', (oldest or now + bucket) - now)
end

local slots = {}
if gap > 0 then
  if shift > 0 then
    redis.call('INCRBY', KEYS[2], text(shift))
  end
  local arrival
  slots, arrival = take(KEYS[2], KEYS[3], k, gap, math.max(now + lead, rest), now + horizon)
  less(#slots, 'pace', math.max(0, arrival - now - horizon))
else
  for i = 1, k do
    slots[i] = text(math.max(now, rest))
  end
end

fly(#slots)
if daily > 0 then
  redis.call('INCRBY', KEYS[4], #slots)
  redis.call('PEXPIRE', KEYS[4], day_kept)
end
if budget > 0 then
  redis.call('HINCRBY', KEYS[6], current, text(each * #slots))
  redis.call('PEXPIRE', KEYS[6], text(math.ceil(window / 500)))
end
return {'ok', text(now), text(wait), why, unpack(slots)}
