"""The numbers of the hot index.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from msgspec import Struct


class Tuning(Struct, frozen=True):
    """What is kept, for how long, and how long anybody waits for Redis."""

    keep: int = 200
    """The last entries of a conversation that are kept, as they are appended."""
    read: int = 64
    """The last entries that are read when a set is built: a page of history, and some."""
    body: int = 8_192
    """Bytes of a body that is kept. Reads of what has a longer one go to the log."""
    ttl: float = 3_600.0
    """Seconds a conversation stays after its last entry."""
    deadline: float = 0.05
    """Seconds an append or a read waits for Redis at most, before it goes on without."""
    pause: float = 0.5
    """Seconds after which a Redis that did not answer is tried again, apart."""
    patience: float = 2.0
    """Seconds that such a trial waits, and a set that is filled: nobody waits for either."""
    building: float = 5.0
    """Seconds in which a set must be filled once it is begun."""
    builds: int = 32
    """Sets one process builds at a time. Over it reads go to the log and leave the index alone."""
    settle: float = 10.0
    """Seconds for which a new namespace is not filled."""
    together: int = 1_000
    """Entries put, or conversations looked at, in one round trip."""
    behind: int = 50_000
    """Conversations remembered as behind. Over it the whole index is deleted instead."""
