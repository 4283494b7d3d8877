"""What every Bus must do. Subclass BusSuite and give it a `bus` fixture.

`settled` waits until what was published has been delivered.
"""

from uuid import UUID

from server.bus.base import MAX_WAITING, Bus, Event, Typed


def event(n: int) -> Typed:
    return Typed(UUID(int=1), UUID(int=n), "v:somebody", True)


def number(event: Event) -> int:
    assert isinstance(event, Typed)
    return event.conversation.int


class BusSuite:
    async def settled(self) -> None:
        """Override where delivery takes time."""

    async def test_events_arrive_once_and_in_order(self, bus: Bus) -> None:
        one: list[int] = []
        other: list[int] = []
        await bus.subscribe("shop", lambda e: one.append(number(e)))
        await bus.subscribe("shop", lambda e: other.append(number(e)))
        for n in range(100):
            bus.publish("shop", event(n))
        await self.settled()
        assert one == other == list(range(100))

    async def test_topics_are_apart(self, bus: Bus) -> None:
        got: list[int] = []
        await bus.subscribe("one", lambda e: got.append(number(e)))
        bus.publish("other", event(1))
        bus.publish("one", event(2))
        await self.settled()
        assert got == [2]

    async def test_nothing_from_before_or_after(self, bus: Bus) -> None:
        got: list[int] = []

        def receiver(e: Event) -> None:
            got.append(number(e))

        bus.publish("shop", event(1))
        await bus.subscribe("shop", receiver)
        bus.publish("shop", event(2))
        await self.settled()
        await bus.unsubscribe("shop", receiver)
        bus.publish("shop", event(3))
        await self.settled()
        assert got == [2]

    async def test_a_receiver_that_raises_harms_nobody(self, bus: Bus) -> None:
        got: list[int] = []
        calls: list[int] = []

        def broken(e: Event) -> None:
            calls.append(number(e))
            raise RuntimeError("broken on purpose")

        await bus.subscribe("shop", broken)
        await bus.subscribe("shop", lambda e: got.append(number(e)))
        bus.publish("shop", event(1))
        bus.publish("shop", event(2))
        await self.settled()
        assert calls == got == [1, 2]

    async def test_events_published_by_receivers_keep_one_order(self, bus: Bus) -> None:
        one: list[int] = []
        other: list[int] = []

        def answers(e: Event) -> None:
            one.append(number(e))
            if number(e) == 1:
                bus.publish("shop", event(2))

        await bus.subscribe("shop", answers)
        await bus.subscribe("shop", lambda e: other.append(number(e)))
        bus.publish("shop", event(1))
        await self.settled()
        assert one == other == [1, 2]

    async def test_what_waits_is_bounded(self, bus: Bus) -> None:
        got: list[int] = []

        def floods(e: Event) -> None:
            got.append(number(e))
            if number(e) == 0:
                for n in range(MAX_WAITING + 10):
                    bus.publish("shop", event(n + 1))

        await bus.subscribe("shop", floods)
        bus.publish("shop", event(0))
        await self.settled()
        assert got == list(range(MAX_WAITING + 1))
        assert bus.dropped == 10

    async def test_done_is_told_once_for_each_event(self, bus: Bus) -> None:
        got: list[int] = []
        done: list[int] = []
        await bus.subscribe("shop", lambda e: got.append(number(e)))
        for n in range(5):
            bus.publish("shop", event(n), lambda n=n: done.append(n))
            bus.publish("nobody listens", event(n), lambda n=n: done.append(10 + n))
        await self.settled()
        assert got == list(range(5))
        assert [n for n in done if n < 10] == got
        assert sorted(done) == [*range(5), *range(10, 15)]

    async def test_done_may_raise(self, bus: Bus) -> None:
        got: list[int] = []
        done: list[int] = []

        def broken() -> None:
            done.append(1)
            raise RuntimeError("broken on purpose")

        await bus.subscribe("shop", lambda e: got.append(number(e)))
        bus.publish("shop", event(1), broken)
        bus.publish("shop", event(2), lambda: done.append(2))
        await self.settled()
        assert got == done == [1, 2]

    async def test_done_is_not_told_for_what_was_dropped(self, bus: Bus) -> None:
        done: list[int] = []

        def floods(e: Event) -> None:
            if number(e) == 0:
                for n in range(MAX_WAITING + 10):
                    bus.publish("shop", event(n + 1), lambda n=n: done.append(n + 1))

        await bus.subscribe("shop", floods)
        bus.publish("shop", event(0))
        await self.settled()
        assert bus.dropped == 10
        assert done == list(range(1, MAX_WAITING + 1))
