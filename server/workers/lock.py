"""One parent per data folder, and how the command line finds it: a locked file with its number.

What holds always: the number is believed only while the file is locked, which ends with the process
however it ends; so no stranger that has the number by now is ever signalled.
May import: config.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.config import ConfigError

NAME = "parent.pid"
"""The file in the data folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Be the parent here. Raises ConfigError when another one is."""
    path = folder / NAME
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another server with workers runs on {folder}; stop it, or use another --data-dir"
            ) from None
        os.ftruncate(number, 0)
        os.write(number, str(os.getpid()).encode())
        yield
    finally:
        os.close(number)


def parent(folder: Path) -> int | None:
    """The process that is the parent here now."""
    try:
        number = os.open(folder / NAME, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None  # Nobody holds it: it was left behind.
    except BlockingIOError:
        return int(os.read(number, 20) or 0) or None
    finally:
        os.close(number)
