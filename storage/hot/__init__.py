"""The hot index: recent entries of live conversations in Redis, in front of a MessageLog.

    log = HotLog(inner, redis, prefix)      itself a MessageLog

A resume reads the heads and the last entries of a conversation. With the index it does so without
touching the database. The index is a copy: whatever happens to it, the truth is the inner log.

What it is made of. One sorted set per conversation: the score is the `seq`, the member the packed
entry. It holds the last `keep` entries, or none at all: a set is never begun by an append, but by a
read that found nothing, and is then complete from its first member to the head. While somebody
builds it, a *marker* with score 0 stands in it, and nobody reads it.

**Why it never hides an entry that was published.** Call a set *honest* when it is absent, or has a
marker, or its highest member is at least every entry of the conversation that was published. (What
is missing below shows: the scores then have a hole, and the set is not read but built anew.) Only
honest sets are read, because:

1. *An entry is indexed after its commit and before it is published* (`append` puts it in before it
   returns, `ensure` does for who publishes what others have appended). Putting adds it to a set
   that exists, marker or no marker, and does nothing where there is none. Either leaves an honest
   set honest, and one that is as high as this entry.
2. *A set begins with its marker, and only then the log is read.* What is published later and is
   not in what was read was committed after the reading, so it was indexed after the marker was
   set: it stands in the set beside the marker. Filling adds what was read and takes the marker
   away, in one step, and does nothing when the very marker of this build is gone (FLUSHALL, an
   eviction, its time was up): that set is no longer the one that heard of every entry since.
3. *Trimming takes the lowest members*; expiry, eviction and FLUSHALL take the whole set.
4. *A Redis that was restarted or failed over begins empty.* It may have lost what it had confirmed.
   Every operation is one script, and computes the namespace of its keys from what the server says
   of itself there and then: its `run_id` and its `master_replid`, one of which changes with every
   restart, promotion or demotion. No client has to notice in time. A replica is not asked at all.
5. *An old master may go on for a moment beside the new one*, taking the entries of workers that
   have not noticed. So a namespace is filled only when it is `settle` seconds old, by the server's
   clock; what they put elsewhere was committed before and is read from the log. Named assumption:
   nobody talks to an old master longer than that (Sentinel cuts its clients off; for a master cut
   off from Sentinel there is `min-replicas-to-write`).

**When Redis does not answer.** After `deadline` seconds an append returns without it; its commit is
on disk. Then 1 does not hold, and so the conversation is *behind*: this process does not read it
from the index, and works on having its set deleted until Redis has confirmed that. **Whoever
publishes to other processes asks `behind` first, and leaves the entry in the outbox if it is;** a
sweeper publishes it once `ensure` says True. What was committed but not yet published may be absent
from a read: a session subscribes before it reads, so it hears of it when it is published.

What must be so outside: all who append to the inner log in this region do it through a HotLog on
the same Redis and prefix, or publish through one that `ensure`s; who changes the log otherwise (a
new epoch) calls `forget`; the inner log's reads see every commit before them (a primary, no
replica). Turning the index off and on again needs an empty one: `FLUSHALL`, or wait for `ttl`.

Bounds, in `Tuning`: entries kept per conversation, bytes of a body that is kept, seconds a set
lives, entries in one round trip, builds at a time, conversations that are behind.
May import: base, limits, redis.
"""

from storage.hot.log import HotLog
from storage.hot.tuning import Tuning

__all__ = ["HotLog", "Tuning"]
