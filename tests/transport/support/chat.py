"""A chat server small enough to misbehave on purpose, for tests of the client."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec

from transport.errors import CloseCode
from transport.session import Session
from transport.wire import codec
from transport.wire.frames import (
    VERSION,
    Accepted,
    Call,
    Deliver,
    Frame,
    Hello,
    Received,
    Refused,
    Result,
    Resumed,
    Send,
    Welcome,
)

Answer = Callable[[Session, Frame], bool]
"""Sees a frame first; True when it dealt with it."""


class Chat:
    """Logs in memory; every session follows every conversation."""

    def __init__(self) -> None:
        self.epoch = 1
        self.logs: dict[UUID, list[Deliver]] = defaultdict(list)
        self.sessions: list[Session] = []
        self.hellos: list[Hello] = []
        self.seen: list[Frame] = []
        self.tokens = {"good"}
        self.replay = 500
        self.first: Answer = lambda session, frame: False
        self.arrived = asyncio.Event()

    async def serve(self, session: Session) -> None:
        hello = await session.receive()
        assert isinstance(hello, Hello)
        self.hellos.append(hello)
        if hello.token not in self.tokens:
            session.close(CloseCode.UNAUTHENTICATED, "get a new token")
            return
        resumed = [self._resumed(position) for position in hello.resume]
        session.send(Welcome(VERSION, uuid4(), "v:1", 0, 25_000, tuple(resumed)))
        for answer, position in zip(resumed, hello.resume, strict=True):
            for entry in self.logs[answer.conversation][position.seq :]:
                if answer.recovered:
                    session.send(entry)
        self.sessions.append(session)
        try:
            while not session.closed:
                self._take(session, await session.receive())
        finally:
            self.sessions.remove(session)

    def append(
        self, conversation: UUID, text: str, client_id: UUID | None = None, author: str = "a:1"
    ) -> Deliver:
        """An entry that everybody connected is delivered."""
        log = self.logs[conversation]
        body = codec.pack({"text": text})
        entry = Deliver(
            conversation, self.epoch, len(log) + 1, author, client_id or uuid4(), "message", body, 0
        )
        log.append(entry)
        for session in self.sessions:
            if not session.closed:
                session.send(entry)
        return entry

    def _resumed(self, position: Any) -> Resumed:
        log = self.logs[position.conversation]
        recovered = position.epoch == self.epoch and len(log) - position.seq <= self.replay
        return Resumed(position.conversation, self.epoch, len(log), recovered)

    def _take(self, session: Session, frame: Frame) -> None:
        self.seen.append(frame)
        self.arrived.set()
        if self.first(session, frame):
            return
        if isinstance(frame, Send):
            log = self.logs[frame.conversation]
            known = next((e for e in log if e.client_id == frame.client_id), None)
            text = msgspec.msgpack.decode(frame.body)["text"]
            entry = known or self.append(frame.conversation, text, frame.client_id)
            session.send(
                Accepted(frame.client_id, frame.conversation, entry.epoch, entry.seq, entry.at)
            )
        elif isinstance(frame, Call) and frame.method == "history":
            params = msgspec.msgpack.decode(frame.params)
            log = self.logs[UUID(bytes=params["conversation"])]
            page = log[params["after"] : params["after"] + params["limit"]]
            fields = [[getattr(e, name) for name in e.__struct_fields__] for e in page]
            session.send(Result(frame.id, codec.pack({"entries": fields, "more": False})))
        elif isinstance(frame, Call):
            session.send(Refused("unknown_method", "there is no such method", call=frame.id))
        else:
            assert isinstance(frame, Received)
