import pytest

from server.bus.base import Bus
from server.bus.local import LocalBus
from tests.conformance.bus_suite import BusSuite, event


class TestLocalBus(BusSuite):
    @pytest.fixture
    def bus(self) -> Bus:
        return LocalBus()


async def test_events_are_there_before_publish_returns() -> None:
    bus, got = LocalBus(), []
    await bus.subscribe("shop", got.append)
    bus.publish("shop", event(1))
    assert got == [event(1)]


async def test_closing_forgets_everybody() -> None:
    bus, got = LocalBus(), []
    await bus.subscribe("shop", got.append)
    await bus.close()
    bus.publish("shop", event(1))
    assert got == []
