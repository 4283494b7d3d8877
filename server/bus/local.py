"""The bus of one process: events reach their receivers before `publish` returns.

An event that a receiver publishes while it is being called waits until the one before it has
reached everybody, so that all receivers see one order.
May import: base.
"""

from __future__ import annotations

from collections import deque

import structlog

from server.bus.base import MAX_WAITING, Event, Receiver

log = structlog.get_logger(__name__)


class LocalBus:
    """Fan-out within one event loop."""

    def __init__(self) -> None:
        self.dropped = 0
        self._receivers: dict[str, list[Receiver]] = {}
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
                self._deliver(*self._waiting.popleft())
        finally:
            self._delivering = False

    async def subscribe(self, topic: str, receiver: Receiver) -> None:
        self._receivers.setdefault(topic, []).append(receiver)

    async def unsubscribe(self, topic: str, receiver: Receiver) -> None:
        receivers = self._receivers.get(topic, [])
        if receiver in receivers:
            receivers.remove(receiver)
        if not receivers:
            self._receivers.pop(topic, None)

    async def close(self) -> None:
        self._receivers.clear()

    def _deliver(self, topic: str, event: Event) -> None:
        for receiver in tuple(self._receivers.get(topic, ())):
            if receiver not in self._receivers.get(topic, ()):
                continue  # Unsubscribed by a receiver before it.
            try:
                receiver(event)
            except Exception:
                log.exception("a receiver of the bus failed", topic=topic)
