"""Passwords: argon2id, off the event loop, a bounded number at a time.

What holds always: checking takes the same time whether or not there is a hash to check against;
at most WAITING checks wait (over it: refused as busy), and at most THREADS run, because each needs
64 MiB and a core.
May import: domain.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from server.domain.refusal import Code, Refusal

THREADS = 2
"""Hashes computed at once."""
WAITING = 32
"""Checks that wait or run at once."""
MIN_LENGTH = 10
"""Characters of a new password at least."""
MAX_LENGTH = 1_024
"""Characters of a password at most: hashing must stay cheap for whoever sends a long one."""


class Passwords:
    """Hashes and checks. `close` it at the end."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._busy = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store. Raises Refusal for a password that is too short or too long."""
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise Refusal(Code.INVALID, f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hasher.hash, password)

    async def check(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits. None for somebody unknown: as slow, and never true."""
        if self._busy >= WAITING:
            raise Refusal(Code.BUSY, "too many are signing in at this moment, try again")
        self._busy += 1
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._threads, self._check, password_hash, password[:MAX_LENGTH]
            )
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, password_hash: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash("nobody's password")
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (Argon2Error, InvalidHashError):
            return False
        return password_hash is not None
