"""One welcomed (or soon welcomed) session, as the hub sees it.

What holds always: nothing is sent before `welcome`; what happens until then is held, at most
MAX_HELD frames (over it the session is closed and resumes); an entry that was replayed is not
delivered again, and none between the replay and the live entries is missed, because the session
was subscribed before the log was read.
May import: domain; the session of transport.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import structlog

from server.domain.people import Caller
from transport.errors import CloseCode, LocalProtocolError, SessionClosed
from transport.session import Session
from transport.wire.frames import Deliver, Frame, Welcome

MAX_HELD = 1_000
"""Frames held for a session that is not welcomed yet."""

log = structlog.get_logger(__name__)


class Follower:
    """A session and its person."""

    __slots__ = ("_cursors", "_held", "asked_to_move", "caller", "session")

    def __init__(self, session: Session, caller: Caller) -> None:
        self.session = session
        self.caller = caller
        self.asked_to_move = False
        self._held: list[Frame] | None = []
        self._cursors: dict[UUID, tuple[int, int]] | None = None
        """The last (epoch, seq) told, of the conversations that were resumed, if any were."""

    @property
    def welcomed(self) -> bool:
        return self._held is None

    def welcome(self, welcome: Welcome, replay: Iterable[Deliver], then: Iterable[Frame]) -> None:
        """Send the welcome, what was missed, `then`, and what happened meanwhile."""
        held, self._held = self._held or [], None
        self.tell(welcome)
        for entry in replay:
            self.tell(entry)
        if welcome.resumed:
            self._cursors = {one.conversation: (one.epoch, one.head) for one in welcome.resumed}
        for frame in (*then, *held):
            self.tell(frame)

    def tell(self, frame: Frame) -> None:
        """Send a frame, now or once welcomed. Never raises: who is gone hears nothing."""
        if self._held is not None:
            self._hold(frame)
        elif not (isinstance(frame, Deliver) and self._is_old(frame)):
            try:
                self.session.send(frame)
            except SessionClosed:
                pass  # The gateway's loop hears of it and takes this follower away.
            except LocalProtocolError:
                log.exception("a frame could not be sent", frame=type(frame).__name__)
                self.session.close(CloseCode.INTERNAL, "the server made a mistake; resume")

    def _hold(self, frame: Frame) -> None:
        assert self._held is not None
        if len(self._held) < MAX_HELD:
            self._held.append(frame)
        else:
            self.session.close(CloseCode.GOING_AWAY, "too much happened meanwhile; resume")

    def _is_old(self, entry: Deliver) -> bool:
        cursor = None if self._cursors is None else self._cursors.get(entry.conversation)
        if self._cursors is None or cursor is None:
            return False
        if (entry.epoch, entry.seq) <= cursor:
            return True
        self._cursors[entry.conversation] = (entry.epoch, entry.seq)
        return False
