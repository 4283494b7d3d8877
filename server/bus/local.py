"""The bus of one process: events reach their receivers before `publish` returns, and before `done`.

An event that a receiver publishes while it is being called waits until the one before it has
reached everybody, so that all receivers see one order.
May import: base, receivers.
"""

from __future__ import annotations

from collections import deque

from server.bus.base import MAX_WAITING, Done, Event, Receiver
from server.bus.receivers import Receivers, tell


class LocalBus:
    """Fan-out within one event loop."""

    def __init__(self) -> None:
        self.dropped = 0
        self._receivers = Receivers()
        self._waiting: deque[tuple[str, Event, Done | None]] = deque()
        self._delivering = False

    def publish(self, topic: str, event: Event, done: Done | None = None) -> None:
        """Deliver to everybody on the topic now; inside a delivery, right after it."""
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append((topic, event, done))
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._waiting:
                topic, event, done = self._waiting.popleft()
                self._receivers.deliver(topic, event)
                if done is not None:
                    tell(done)
        finally:
            self._delivering = False

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        self._receivers.add(topic, receiver)

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        self._receivers.remove(topic, receiver)

    async def close(self) -> None:
        self._receivers.clear()
