"""The bus of one process: events reach their receivers before `publish` returns.

An event that a receiver publishes while it is being called waits until the one before it has
reached everybody, so that all receivers see one order.
May import: base, receivers.
"""

from __future__ import annotations

from collections import deque

from server.bus.base import MAX_WAITING, Event, Receiver
from server.bus.receivers import Receivers


class LocalBus:
    """Fan-out within one event loop."""

    def __init__(self) -> None:
        self.dropped = 0
        self._receivers = Receivers()
        self._waiting: deque[tuple[str, Event]] = deque()
        self._delivering = False

    def publish(self, topic: str, event: Event) -> None:
        """Deliver to everybody on the topic now; inside a delivery, right after it."""
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append((topic, event))
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._waiting:
                self._receivers.deliver(*self._waiting.popleft())
        finally:
            self._delivering = False

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        self._receivers.add(topic, receiver)

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        self._receivers.remove(topic, receiver)

    async def close(self) -> None:
        self._receivers.clear()
