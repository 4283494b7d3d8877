"""Shops, remembered for a moment, and where their pages may come from.

What holds always: a shop added or changed by another process is seen here within FRESH seconds;
when the directory cannot be reached, what was known last is used.
May import: domain; storage.
"""

from __future__ import annotations

from collections.abc import Callable

from server.domain.people import Caller, Role
from server.service.guard import refusal
from storage.base import Directory, Shop, StorageError

FRESH = 5.0
"""Seconds for which the list of shops is not read again."""


class Shops:
    """The shops of this server. `clock` gives monotonic seconds."""

    def __init__(self, directory: Directory, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        self._shops: dict[str, Shop] | None = None
        self._origins: frozenset[str] = frozenset()
        self._read_at = 0.0

    async def get(self, id: str) -> Shop | None:
        """The shop, if there is one. Raises Refusal when nothing is known and storage fails."""
        return (await self._all()).get(id)

    async def origins(self) -> frozenset[str]:
        """The origins of all shops."""
        await self._all()
        return self._origins

    async def fits(self, caller: Caller, origin: str | None, home: frozenset[str]) -> bool:
        """Whether this person may connect from a page of `origin`.

        No origin: not a browser, so there is no page to misuse. `home` are our own pages; agents
        come from them alone, visitors from their shop's too.
        """
        if origin is None or origin in home:
            return True
        shop = await self.get(caller.shop)
        return caller.role is Role.VISITOR and shop is not None and origin in shop.origins

    async def _all(self) -> dict[str, Shop]:
        now = self._clock()
        if self._shops is None or now - self._read_at >= FRESH:
            self._read_at = now  # At once: who asks meanwhile is content with what is known.
            try:
                shops = await self._directory.list_shops()
            except StorageError as error:
                if self._shops is None:
                    raise refusal(error) from error
                return self._shops
            self._shops = {shop.id: shop for shop in shops}
            self._origins = frozenset(origin for shop in shops for origin in shop.origins)
        return self._shops
