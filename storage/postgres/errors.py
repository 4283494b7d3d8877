"""What PostgreSQL and its driver raise, in the seam's terms, with what to do about it.

What holds always: whatever is the database's, the network's or the operator's fault becomes a
StorageError; what is a bug of ours comes back as it is. Faults are of four kinds:
- passing: the connection or the server went away; on a new connection the same may succeed;
- a collision: two transactions stood in each other's way; the same will succeed;
- standing: nothing helps until somebody mends it (a wrong password, a full disk);
- refusals: the work itself may not be (a unique key is taken).

May import: base, url.
"""

from __future__ import annotations

import asyncpg
from asyncpg import exceptions as pg

from storage.base import Missing, NotUnique, StorageError, StoreBusy, StoreFull, StoreUnavailable
from storage.url import PostgresPlace

COLLISIONS = (pg.DeadlockDetectedError, pg.SerializationError)
PASSING = (
    OSError,  # TimeoutError among them
    pg.PostgresConnectionError,
    pg.InterfaceError,
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.CannotConnectNowError,
    pg.TooManyConnectionsError,
    pg.IdleInTransactionSessionTimeoutError,
    pg.QueryCanceledError,
    pg.ReadOnlySQLTransactionError,
    pg.InvalidCachedStatementError,
    pg.InternalClientError,  # a session that ended while it was idle may be met halfway
)
BUSY_RETRY_AFTER = 0.25
"""Seconds told to one whose transaction collided too often."""


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed on a new connection."""
    # What the driver finds wrong with arguments is an InterfaceError too, and a ValueError.
    return isinstance(error, PASSING) and not isinstance(error, ValueError)


def translate(error: Exception, place: PostgresPlace) -> Exception:
    """An error in the seam's terms; what is a bug of ours comes back as it is."""
    match error:
        case StorageError():
            return error
        case pg.UniqueViolationError():
            return NotUnique(f"another record has the same value: {error.detail}")
        case pg.ForeignKeyViolationError():
            return Missing("the shop or visitor that the record belongs to does not exist")
        case pg.DiskFullError():
            return StoreFull(
                f"no room left on the disk of {place.shown}; make room, then it works again"
            )
        case pg.DeadlockDetectedError() | pg.SerializationError():
            return StoreBusy(BUSY_RETRY_AFTER)
        case pg.DataError():
            return ValueError(f"PostgreSQL keeps no such value: {error}")
    advice = _advice(error, place)
    return error if advice is None else StoreUnavailable(advice)


def _advice(error: Exception, place: PostgresPlace) -> str | None:
    """What happened, and what to do; None for a bug of ours."""
    at = place.shown
    match error:
        case pg.InvalidPasswordError() | pg.InvalidAuthorizationSpecificationError():
            return f"{at} does not let us in ({error}); correct user and password in the URL"
        case pg.InvalidCatalogNameError():
            return f"there is no database {place.database} at {at}; create it, with createdb"
        case pg.InsufficientPrivilegeError():
            return f"{at} forbids it ({error}); make the user in the URL the database's owner"
        case pg.ReadOnlySQLTransactionError() | pg.TargetServerAttributeNotMatched():
            return f"{at} can only be read (a standby?); name the primary, or all hosts"
        case pg.UndefinedTableError() | pg.UndefinedColumnError():
            return f"{at} lacks tables ({error}); run `tradewind migrate`"
        case pg.TooManyConnectionsError():
            return f"{at} takes no more connections; raise max_connections of the server"
        case pg.CannotConnectNowError():
            return f"{at} is not ready ({error}); wait until it has started"
        case asyncpg.ClientConfigurationError():
            return f"{at} cannot be used: {error}; correct the database URL"
        case pg.QueryCanceledError() | TimeoutError():
            return f"{at} did not answer in time; see what it is doing, or whether it is overloaded"
        case OSError():
            return f"{at} cannot be reached ({error.strerror or error}); is PostgreSQL running?"
        case pg.InsufficientResourcesError() | pg.OperatorInterventionError():
            return f"{at} cannot do it now ({error}); see its log"
        case pg.PostgresSystemError() | pg.DataCorruptedError() | pg.IndexCorruptedError():
            return f"{at} has trouble with its disk ({error}); see its log"
    if is_passing(error):
        return f"{at} went away ({error}); is PostgreSQL running?"
    return None
