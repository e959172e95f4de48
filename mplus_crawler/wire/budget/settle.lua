-- Ends a request: it counts for one more window, and the limits that the response states apply.
-- KEYS: account prefix. ARGV: ticket, back-off in seconds or '', number of limits, the seconds of
-- each, then window, remaining and reset of each count that the server states.
local prefix, ticket = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local limits = tonumber(ARGV[3])

for i = 4, 3 + limits do
  local spent = prefix .. ':spent:' .. ARGV[i]
  redis.call('ZADD', spent, now + tonumber(ARGV[i]), ticket)
  redis.call('EXPIRE', spent, math.ceil(tonumber(ARGV[i]) * 2))
end

for i = 4 + limits, #ARGV, 3 do
  local seconds, remaining, reset = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local window = prefix .. ':window:' .. seconds
  local ceiling = remaining + redis.call('ZCARD', prefix .. ':spent:' .. seconds)
  local former, ends = unpack(redis.call('HMGET', window, 'ceiling', 'until'))
  local till = now + math.min(reset, tonumber(seconds))
  if former and now < tonumber(ends) then
    -- Servers round the end of a window up: the earliest that they have stated counts.
    ceiling, till = math.min(tonumber(former), ceiling), math.min(tonumber(ends), till)
  end
  redis.call('HSET', window, 'ceiling', ceiling, 'until', till)
end

local back_off = prefix .. ':back_off'
local former = redis.call('HGET', back_off, 'until')
if ARGV[2] ~= '' then
  local till = now + tonumber(ARGV[2])
  redis.call('HSET', back_off, 'until', math.max(till, tonumber(former or '0')))
  redis.call('HDEL', back_off, 'probe')
  redis.call('EXPIRE', back_off, math.ceil(tonumber(ARGV[2])) + 86400)
elseif former and tonumber(former) <= now then
  redis.call('DEL', back_off)
end
