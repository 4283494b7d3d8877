"""The hub: which sessions here follow what, and what they are told when something happens.

A visitor's sessions follow the visitor's own conversations, an agent's all of the shop. One
subscription per shop serves them all.

What holds always: a session is subscribed before anything is read for it; visitors never see what
is hidden; nobody hears their own typing or receipts; telling a session never waits.
May import: bus, domain, service's view; the frames of transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

from server.bus.base import Appended, Asked, Bus, Event, Reached, Seen, Typed
from server.domain.people import Caller, Role, who
from server.live.follower import Follower
from server.live.presence import Presence
from server.service.view import deliver, seen_by
from transport.session import Session
from transport.wire import frames
from transport.wire.codec import pack


class _Room:
    """The sessions of one shop."""

    def __init__(self, receiver: Callable[[Event], None]) -> None:
        self.receiver = receiver
        self.agents: set[Follower] = set()
        self.visitors: dict[UUID, set[Follower]] = {}

    def add(self, follower: Follower) -> None:
        self._set(follower.caller).add(follower)

    def remove(self, follower: Follower) -> None:
        self._set(follower.caller).discard(follower)
        if not self.visitors.get(follower.caller.id, True):
            del self.visitors[follower.caller.id]

    def everybody(self) -> Iterator[Follower]:
        yield from self.agents
        for followers in self.visitors.values():
            yield from followers

    def _set(self, caller: Caller) -> set[Follower]:
        if caller.role is Role.AGENT:
            return self.agents
        return self.visitors.setdefault(caller.id, set())


class Hub:
    """Tells the sessions of this worker what happens."""

    def __init__(self, bus: Bus, presence: Presence) -> None:
        self._bus = bus
        self._presence = presence
        self._rooms: dict[str, _Room] = {}
        self._doors = asyncio.Lock()
        """Held while a shop is subscribed to or left, so that the two cannot cross."""
        self._events: dict[type, Callable[[str, _Room, Any], None]] = {
            Appended: self._appended,
            Typed: self._typed,
            Reached: self._reached,
            Seen: self._seen,
            Asked: self._asked,
        }

    def followers(self) -> list[Follower]:
        """Everybody here."""
        return [follower for room in self._rooms.values() for follower in room.everybody()]

    @asynccontextmanager
    async def following(self, session: Session, caller: Caller) -> AsyncIterator[Follower]:
        """The session as a follower, from before this block runs until it is left."""
        follower = Follower(session, caller)
        async with self._doors:
            room = self._rooms.get(caller.shop)
            if room is None:
                room = _Room(partial(self._receive, caller.shop))
                await self._bus.subscribe(caller.shop, room.receiver)
                self._rooms[caller.shop] = room
                self._presence.ask(caller.shop)
            room.add(follower)
        self._presence.arrived(caller, session.info.transport)
        try:
            yield follower
        finally:
            room.remove(follower)
            self._presence.left(caller, session.info.transport)
            await self._close_if_empty(caller.shop)

    def agents_online(self, shop: str) -> list[frames.Presence]:
        """What a visitor is told first: which agents are there."""
        return [
            _presence(person, transport)
            for person, transport in self._presence.online(shop)
            if person.startswith(Role.AGENT.value)
        ]

    def publish(self, shop: str, event: Typed | Reached) -> None:
        """Pass on what is told but not kept."""
        self._bus.publish(shop, event)

    async def _close_if_empty(self, shop: str) -> None:
        async with self._doors:
            room = self._rooms.get(shop)
            if room is not None and not room.agents and not room.visitors:
                del self._rooms[shop]
                await self._bus.unsubscribe(shop, room.receiver)
                self._presence.forget(shop)

    def _receive(self, shop: str, event: Event) -> None:
        if (room := self._rooms.get(shop)) is not None:
            self._events[type(event)](shop, room, event)

    def _appended(self, shop: str, room: _Room, event: Appended) -> None:
        _tell(room.agents, deliver(seen_by(Role.AGENT, event.entry)))
        visitors = room.visitors.get(event.visitor)
        if visitors:
            _tell(visitors, deliver(seen_by(Role.VISITOR, event.entry)))

    def _typed(self, shop: str, room: _Room, event: Typed) -> None:
        frame = frames.Typing(event.conversation, event.on, event.who)
        for follower in (*room.agents, *room.visitors.get(event.visitor, ())):
            if follower.caller.who != event.who:
                follower.tell(frame)

    def _reached(self, shop: str, room: _Room, event: Reached) -> None:
        """To the other side: a visitor's receipt to the agents, an agent's to the visitor."""
        frame = frames.Received(event.conversation, event.seq, event.who)
        from_visitor = event.who == who(Role.VISITOR, event.visitor)
        _tell(room.agents if from_visitor else room.visitors.get(event.visitor, ()), frame)

    def _seen(self, shop: str, room: _Room, event: Seen) -> None:
        frame = _presence(event.who, self._presence.heard(shop, event))
        if event.who.startswith(Role.AGENT.value):
            _tell(room.everybody(), frame)
        else:
            _tell(room.agents, frame)

    def _asked(self, shop: str, room: _Room, event: Asked) -> None:
        self._presence.asked(shop, event)


def _presence(person: str, transport: str | None) -> frames.Presence:
    state = "offline" if transport is None else "online"
    return frames.Presence(person, state, pack({"transport": transport}))


def _tell(followers: Iterable[Follower], frame: frames.Frame) -> None:
    for follower in tuple(followers):
        follower.tell(frame)
