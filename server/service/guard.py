"""What storage raises, as the refusals that clients understand: one table.

May import: domain, storage.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from server.domain.refusal import Code, Refusal
from storage.base import Missing, StorageError, StoreBusy, StoreFull

_CODES: dict[type[StorageError], tuple[Code, str]] = {
    StoreBusy: (Code.BUSY, "the server is busy, try again in a moment"),
    Missing: (Code.NOT_FOUND, "what this belongs to does not exist any more"),
    StoreFull: (Code.STORAGE_FULL, "the server's disk is full; the operator must make room"),
}
_OTHERS = (Code.UNAVAILABLE, "the store cannot be reached, try again in a moment")


def refusal(error: StorageError) -> Refusal:
    """The refusal that stands for a fault of the store."""
    code, message = _CODES.get(type(error), _OTHERS)
    after = int(error.retry_after * 1000) if isinstance(error, StoreBusy) else None
    return Refusal(code, message, after)


@contextmanager
def guarded() -> Iterator[None]:
    """Turn the faults of the store into refusals."""
    try:
        yield
    except StorageError as error:
        raise refusal(error) from error
