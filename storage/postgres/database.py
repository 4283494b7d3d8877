"""One PostgreSQL database: what its log, directory, outbox, search and journal share.

May import: commit's bounds, outbox's channels, pool, writer, url.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.base import BUS
from storage.commit import Bounds
from storage.postgres.pool import Pool
from storage.postgres.writer import Writer
from storage.url import PostgresPlace


class PostgresDatabase:
    """A pool, and the writer of appends. Connects when first asked; the tables must be there.

    Each fresh entry is put into the outbox once for each of `channels`.
    """

    def __init__(
        self,
        place: PostgresPlace,
        bounds: Bounds | None = None,
        channels: Sequence[str] = (BUS,),
    ) -> None:
        self.place = place
        self.pool = Pool(place)
        self.writer = Writer(place, bounds, channels)

    async def close(self) -> None:
        """Finish what waits, then disconnect. May be called more than once."""
        await self.pool.close()
        await self.writer.close()
