"""The scripts that Redis runs: every operation on the index is one of them, and so is atomic.

They take no KEYS: the names of the keys follow from what the server says of itself (`space`), which
is the point. So they need a Redis that is not a cluster.
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
"""
"""`space`: where the keys of this run of this master begin."""

PUT = (
    _SPACE
    + """
local keep, ttl = tonumber(ARGV[2]), ARGV[3]
for i = 4, #ARGV, 3 do
  local key, seq = space .. ARGV[i], tonumber(ARGV[i + 1])
  local first = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
  if first == 0 then
    redis.call('ZADD', key, ARGV[i + 1], ARGV[i + 2])
  elseif first and seq >= first then
    redis.call('ZADD', key, ARGV[i + 1], ARGV[i + 2])
    redis.call('ZREMRANGEBYRANK', key, 0, -keep - 1)
    redis.call('PEXPIRE', key, ttl)
  end
end
return 1
"""
)
"""prefix, keep, ttl, (conversation, seq, member)… Adds entries to sets that exist. A set with a
marker keeps its short life: who builds it may be dead."""

LOOK = (
    _SPACE
    + """
local settle, building, token = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local settled = settle == 0
if not settled then
  local now, born = tonumber(redis.call('TIME')[1]), tonumber(redis.call('GET', space .. 'born'))
  if not born then redis.call('SET', space .. 'born', now) end
  settled = born and now - born >= settle
end

local function begin(key, allowed)
  if allowed ~= '1' or not settled then return {0} end
  redis.call('ZADD', key, 0, token)
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
  local at = tonumber(position)
  if mode == 'after' then
    if at > last or at + 1 < first then return {0} end
    return {1, redis.call('ZRANGEBYSCORE', key, '(' .. position, '+inf', 'LIMIT', 0, limit)}
  end
  local top = last
  if at >= 0 and at <= last then top = at - 1 end
  local bottom = math.max(top - limit + 1, 1)
  if bottom < first and top > 0 then return {0} end
  return {1, redis.call('ZRANGEBYSCORE', key, bottom, top)}
end

local answers = {}
for i = 5, #ARGV, 5 do
  answers[#answers + 1] =
    look(space .. ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), ARGV[i + 4])
end
return answers
"""
)
"""prefix, settle, building, token, (conversation, mode, position, limit, whether it may be begun)…
One answer each: {1, members}; {2}: begun with the token, fill it; {0}: look elsewhere."""

FILL = (
    _SPACE
    + """
local keep, ttl, filled = tonumber(ARGV[2]), ARGV[3], 0
local i = 4
while i <= #ARGV do
  local key, token, count = space .. ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  i = i + 3
  if redis.call('ZSCORE', key, token) then
    local last = count == 0 and '0' or ARGV[i + 2 * count - 2]
    redis.call('ZREMRANGEBYSCORE', key, '-inf', last)
    for j = i, i + 2 * count - 2, 2 do redis.call('ZADD', key, ARGV[j], ARGV[j + 1]) end
    redis.call('ZREMRANGEBYRANK', key, 0, -keep - 1)
    redis.call('PEXPIRE', key, ttl)
    filled = filled + 1
  end
  i = i + 2 * count
end
return filled
"""
)
"""prefix, keep, ttl, (conversation, token, count, (seq, member)…)… What was read replaces what is
in the set up to there, the marker with it; what was put above stays."""

DROP = (
    _SPACE
    + """
for i = 2, #ARGV do redis.call('UNLINK', space .. ARGV[i]) end
return 1
"""
)
"""prefix, conversation… Deletes sets, with or without a marker."""
