"""Who listens to which topic in this process: the part that every bus has.

What holds always: receivers of a topic are called in the order in which they were added; one that
raises is logged and stays; one that is removed is not called again, not even by a delivery that is
under way.
May import: base.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from server.bus.base import Done, Event, Receiver

log = structlog.get_logger(__name__)


class Receivers:
    """A table of topics."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receiver]] = {}

    def __iter__(self) -> Iterator[str]:
        """The topics that somebody listens to."""
        return iter(self._receivers)

    def add(self, topic: str, receiver: Receiver) -> None:
        self._receivers.setdefault(topic, []).append(receiver)

    def remove(self, topic: str, receiver: Receiver) -> bool:
        """Whether nobody listens to the topic now."""
        receivers = self._receivers.get(topic, [])
        if receiver in receivers:
            receivers.remove(receiver)
        if not receivers:
            self._receivers.pop(topic, None)
        return not receivers

    def clear(self) -> None:
        self._receivers.clear()

    def deliver(self, topic: str, event: Event) -> None:
        """Call everybody who listens to the topic."""
        for receiver in tuple(self._receivers.get(topic, ())):
            if receiver not in self._receivers.get(topic, ()):
                continue  # Removed by a receiver before it.
            try:
                receiver(event)
            except Exception:
                log.exception("a receiver of the bus failed", topic=topic)


def tell(done: Done) -> None:
    """Say that an event is out, to one who may raise."""
    try:
        done()
    except Exception:
        log.exception("who was told that an event is out failed")
