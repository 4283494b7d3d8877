"""The beginning of each script that must know which run of which master it is on.

`run` is another one after a restart, after a replica took over, and after a master that was demoted
came back: whenever Redis may have lost what it had confirmed. `promoted` says that this master was
a replica once, so that another one may still go on beside it for a moment.
May import: nothing of Tradewind.
"""

RUN = """
local replication = redis.call('INFO', 'replication')
local run = redis.sha1hex(
    string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    .. string.match(replication, 'master_replid:(%x+)')
)
local promoted = string.find(string.match(replication, 'master_replid2:(%x+)'), '[^0]')
"""
