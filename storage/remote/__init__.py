"""A store that another process of this host owns, reached over a Unix socket.

    framing.py   messages out of a stream of bytes, and into one
    messages.py  what crosses: the calls of the seams, as a table made of their methods
    client.py    the seams, in the process that asks: RemoteLog and so on
    server.py    answers them, in the process that has the store

What holds always: the invariants of the seams, which the same conformance suites check here. The
socket has mode 0600; whoever may open it may do all that the store can.
"""

from storage.remote.client import (
    Link,
    RemoteDirectory,
    RemoteJournal,
    RemoteLog,
    RemoteSearch,
)
from storage.remote.server import answering, serving

__all__ = [
    "Link",
    "RemoteDirectory",
    "RemoteJournal",
    "RemoteLog",
    "RemoteSearch",
    "answering",
    "serving",
]
