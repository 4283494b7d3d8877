"""A store that another process of this host owns, reached over a Unix socket.

    framing.py   messages out of a stream of bytes, and into one
    messages.py  what crosses: the calls of MessageLog and Directory, as a table made of their seams
    client.py    RemoteLog and RemoteDirectory: the seams, in the process that asks
    server.py    answers them, in the process that has the store

What holds always: the invariants of the seams, which the same conformance suites check here. The
socket has mode 0600; whoever may open it may do all that the store can.
"""

from storage.remote.client import Link, RemoteDirectory, RemoteLog
from storage.remote.server import serving

__all__ = ["Link", "RemoteDirectory", "RemoteLog", "serving"]
