-- Counts one request in every window of an account, or returns how long to wait.
-- KEYS: account prefix, set of accounts. ARGV: account, who, number of the caller's last ticket,
-- stretch, probe seconds, then requests and seconds of each limit.
-- Returns {ticket, wait in microseconds}; the ticket is 0 if the request must wait.
local prefix, who, last = KEYS[1], ARGV[2], tonumber(ARGV[3])
local stretch, probe_seconds = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

redis.call('SADD', KEYS[2], ARGV[1])
if tonumber(redis.call('GET', prefix .. ':tickets') or '0') < last then
  -- The store has lost its counts (restarted without persistence), and the server has not: no
  -- request may be sent before the longest window is over.
  local longest = 0
  for i = 7, #ARGV, 2 do
    longest = math.max(longest, tonumber(ARGV[i]))
  end
  redis.call('SET', prefix .. ':tickets', last)
  redis.call('HSET', prefix .. ':back_off', 'until', now + longest)
  redis.call('EXPIRE', prefix .. ':back_off', math.ceil(longest) + 86400)
end

local wait = 0
local back_off, probed = unpack(redis.call('HMGET', prefix .. ':back_off', 'until', 'probe'))
if back_off then
  if now < tonumber(back_off) then
    wait = tonumber(back_off) - now
  elseif probed and now < tonumber(probed) + probe_seconds then
    wait = 0.1
  end
end

for i = 6, #ARGV, 2 do
  local requests, seconds = tonumber(ARGV[i]), ARGV[i + 1]
  local spent = prefix .. ':spent:' .. seconds
  local expired = redis.call('ZREMRANGEBYSCORE', spent, '-inf', now)
  local used = redis.call('ZCARD', spent)
  if used >= requests then
    local nth = redis.call('ZRANGE', spent, used - requests, used - requests, 'WITHSCORES')
    wait = math.max(wait, tonumber(nth[2]) - now)
  end
  local ceiling, ends = unpack(redis.call('HMGET', prefix .. ':window:' .. seconds, 'ceiling', 'until'))
  if ceiling and expired > 0 then
    -- A request that expires here still counts at the server until its window ends.
    ceiling = ceiling - expired
    redis.call('HSET', prefix .. ':window:' .. seconds, 'ceiling', ceiling)
  end
  if ceiling and now < tonumber(ends) and used >= tonumber(ceiling) then
    wait = math.max(wait, tonumber(ends) - now)
  end
end

if wait > 0 then
  redis.call('ZADD', prefix .. ':waiting', now + wait, who)
  redis.call('EXPIRE', prefix .. ':waiting', 86400)
  return {0, math.ceil(wait * 1000000)}
end

local ticket = redis.call('INCR', prefix .. ':tickets')
for i = 6, #ARGV, 2 do
  local seconds = ARGV[i + 1]
  local spent, window = prefix .. ':spent:' .. seconds, prefix .. ':window:' .. seconds
  redis.call('ZADD', spent, now + tonumber(seconds) * stretch, ticket)
  redis.call('EXPIRE', spent, math.ceil(tonumber(seconds) * 2))
  redis.call('HSET', window, 'requests', ARGV[i])
  redis.call('EXPIRE', window, 86400 * 2)
end
if back_off then
  redis.call('HSET', prefix .. ':back_off', 'probe', now)
end
redis.call('ZREM', prefix .. ':waiting', who)
return {ticket, 0}
