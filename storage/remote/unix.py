"""Unix sockets that only their owner may open.

What holds always: the socket has mode 0600 from its first moment; one that a killed process left
behind is no obstacle.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def bind(path: Path) -> socket.socket:
    """A socket bound at `path`, where whoever held the store before has left. Raises OSError."""
    remove(path)
    bound = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(before)
    return bound


def remove(path: Path) -> None:
    """Take the socket away, if it is there."""
    path.unlink(missing_ok=True)
