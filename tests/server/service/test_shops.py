from typing import Any

import pytest

from server.domain.people import Caller, Role
from server.domain.refusal import Code, Refusal
from server.service.shops import FRESH, Shops
from storage.base import Shop
from storage.memory import MemoryDirectory
from transport.uuid7 import uuid7

HOME = frozenset({"https://chat.example"})
ORIGIN = "https://shop.example"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def made() -> Any:
    directory, clock = MemoryDirectory(), Clock()
    await directory.put_shop(Shop("shop", "A Shop", (ORIGIN,)))
    return Shops(directory, clock), directory, clock


async def test_changes_are_seen_after_a_while(made: Any) -> None:
    shops, directory, clock = made
    assert await shops.origins() == {ORIGIN}
    await directory.put_shop(Shop("new", "New", ("https://new.example",)))
    assert await shops.get("new") is None
    clock.now = FRESH
    assert await shops.get("new") is not None
    assert await shops.origins() == {ORIGIN, "https://new.example"}


async def test_without_the_directory_the_last_word_counts(made: Any) -> None:
    shops, directory, clock = made
    await shops.get("shop")
    await directory.close()
    clock.now = 10 * FRESH
    assert await shops.get("shop") is not None
    unread = Shops(directory, clock)
    with pytest.raises(Refusal) as caught:
        await unread.get("shop")
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("role", "shop", "origin", "fits"),
    [
        (Role.VISITOR, "shop", None, True),
        (Role.VISITOR, "shop", ORIGIN, True),
        (Role.VISITOR, "shop", "https://chat.example", True),
        (Role.VISITOR, "shop", "https://evil.example", False),
        (Role.VISITOR, "none", ORIGIN, False),
        (Role.AGENT, "shop", None, True),
        (Role.AGENT, "shop", "https://chat.example", True),
        (Role.AGENT, "shop", ORIGIN, False),
    ],
)
async def test_where_people_may_come_from(
    made: Any, role: Role, shop: str, origin: str | None, fits: bool
) -> None:
    shops, _, _ = made
    assert await shops.fits(Caller(role, uuid7(), shop), origin, HOME) is fits
