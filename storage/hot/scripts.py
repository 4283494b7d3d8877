"""The scripts that Redis runs: every operation on the index is one of them, and so is atomic.

They take no KEYS: the names of the keys follow from what the server says of itself (`space`), which
is the point. So they need a Redis that is not a cluster. Whatever is many comes as one argument,
strings with their lengths before them: thousands of arguments cost the client far more than Redis.
May import: nothing of Tradewind.
"""

_SPACE = """
local prefix = ARGV[1]
local replication = redis.call('INFO', 'replication')
if not string.find(replication, 'role:master', 1, true) then
  return redis.error_reply('READONLY not the master')
end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local line = string.match(replication, 'master_replid:(%x+)')
local space = prefix .. string.sub(redis.sha1hex(run .. line), 1, 16) .. ':'
local given, at = {}, 1
while at <= #ARGV[2] do
  given[#given + 1], at = struct.unpack('>I4c0', ARGV[2], at)
end
"""
"""`space`: where the keys of this run of this master begin. `given`: the strings."""

PUT = (
    _SPACE
    + """
local keep, ttl = tonumber(ARGV[3]), ARGV[4]
for i = 1, #given, 3 do
  local key, seq, member = space .. given[i], tonumber(given[i + 1]), given[i + 2]
  local first = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  if first == 0 then
    redis.call('ZADD', key, seq, member)
  elseif first and seq >= first then
    redis.call('ZADD', key, seq, member)
    redis.call('ZREMRANGEBYRANK', key, 0, -keep - 1)
    redis.call('PEXPIRE', key, ttl)
  end
end
return 1
"""
)
"""prefix, [conversation, seq, member, …], keep, ttl. Adds entries to sets that exist. A set with a
marker keeps its short life: who builds it may be dead."""

LOOK = (
    _SPACE
    + """
local settle, building, token = tonumber(ARGV[3]), ARGV[4], ARGV[5]
local settled = settle == 0
if not settled then
  local now, born = tonumber(redis.call('TIME')[1]), tonumber(redis.call('GET', space .. 'born'))
  if not born then redis.pcall('SET', space .. 'born', now) end
  settled = born and now - born >= settle
end

local function begin(key, allowed)
  if allowed ~= '1' or not settled then return {0} end
  if redis.pcall('ZADD', key, 0, token) ~= 1 then return {0} end -- The memory is full.
  redis.call('PEXPIRE', key, building)
  return {2}
end

local function look(key, mode, position, limit, allowed)
  local first = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  if first == 0 then return {0} end
  if not first then return begin(key, allowed) end
  local high = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  local last = tonumber(high[2])
  if mode == 'head' then return {1, {high[1]}} end
  if redis.call('ZCARD', key) ~= last - first + 1 then return begin(key, allowed) end
  if mode == 'after' then
    if position > last or position + 1 < first then return {0} end
    return {1, redis.call('ZRANGEBYSCORE', key, '(' .. position, '+inf', 'LIMIT', 0, limit)}
  end
  local top = last
  if position >= 0 and position <= last then top = position - 1 end
  local bottom = math.max(top - limit + 1, 1)
  if bottom < first and top > 0 then return {0} end
  return {1, redis.call('ZRANGEBYSCORE', key, bottom, top)}
end

local answers = {}
for i = 1, #given, 5 do
  answers[#answers + 1] =
    look(space .. given[i], given[i + 1], tonumber(given[i + 2]), given[i + 3], given[i + 4])
end
return answers
"""
)
"""prefix, [conversation, mode, position, limit, whether it may be begun (1 or 0), …], settle,
building, token. One answer each: {1, members}; {2}: begun with the token, fill it; {0}: look
elsewhere."""

FILL = (
    _SPACE
    + """
local keep, ttl = tonumber(ARGV[3]), ARGV[4]
local i = 1
while i <= #given do
  local key, token, from = space .. given[i], given[i + 1], i + 3
  local upto = from + 2 * given[i + 2] - 2
  if redis.call('ZSCORE', key, token) then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', upto < from and 0 or given[upto])
    for j = from, upto, 2 do redis.call('ZADD', key, given[j], given[j + 1]) end
    redis.call('ZREMRANGEBYRANK', key, 0, -keep - 1)
    redis.call('PEXPIRE', key, ttl)
  end
  i = upto + 2
end
return 1
"""
)
"""prefix, [conversation, token, count, seq, member, …], keep, ttl. What was read replaces what is
in the set up to there, the marker with it; what was put above stays."""

DROP = (
    _SPACE
    + """
for _, conversation in ipairs(given) do redis.call('UNLINK', space .. conversation) end
return 1
"""
)
"""prefix, [conversation, …]. Deletes sets, with or without a marker."""
