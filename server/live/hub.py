"""The hub: which sessions here follow what, and what they are told when something happens.

A visitor's sessions follow the visitor's own conversations, an agent's all of the shop. One
subscription per shop serves them all.

What holds always: a session is subscribed before anything is read for it; visitors never see what
is hidden; nobody hears their own typing or receipts; telling a session never waits.
May import: bus, domain, service's view; the frames of transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from server.bus.base import Appended, Asked, Bus, Event, Reached, Seen, Typed
from server.domain.people import Caller, Role, who
from server.live.follower import Follower
from server.live.online import Online
from server.service.view import deliver, seen_by
from transport.session import Session
from transport.wire import frames
from transport.wire.codec import pack


class _Room:
    """The sessions of one shop."""

    def __init__(self, receiver: Callable[[Event], None]) -> None:
        self.receiver = receiver
        self.agents: set[Follower] = set()
        self.visitors: dict[UUID, tuple[Follower, ...]] = {}
        """Tuples: nearly everybody has one session, and an empty set takes 216 bytes."""

    def add(self, follower: Follower) -> None:
        caller = follower.caller
        if caller.role is Role.AGENT:
            self.agents.add(follower)
        else:
            self.visitors[caller.id] = (*self.visitors.get(caller.id, ()), follower)

    def remove(self, follower: Follower) -> None:
        caller = follower.caller
        if caller.role is Role.AGENT:
            self.agents.discard(follower)
            return
        others = tuple(one for one in self.visitors.pop(caller.id) if one is not follower)
        if others:
            self.visitors[caller.id] = others

    def everybody(self) -> Iterator[Follower]:
        yield from self.agents
        for followers in self.visitors.values():
            yield from followers


class Hub:
    """Tells the sessions of this worker what happens."""

    def __init__(self, bus: Bus, presence: Online) -> None:
        self._bus = bus
        self._presence = presence
        presence.tell = self._receive
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

    async def join(self, session: Session, caller: Caller) -> Follower:
        """The session as a follower, from now until it `leaves`."""
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
        return follower

    async def leave(self, follower: Follower) -> None:
        """Tell it nothing any more."""
        shop = follower.caller.shop
        self._rooms[shop].remove(follower)
        self._presence.left(follower.caller, follower.session.info.transport)
        async with self._doors:
            room = self._rooms.get(shop)
            if room is not None and not room.agents and not room.visitors:
                del self._rooms[shop]
                await self._bus.unsubscribe(shop, room.receiver)
                self._presence.forget(shop)

    def agents_online(self, shop: str) -> list[frames.Presence]:
        """What a visitor is told first: which agents are there."""
        return [_presence(who, transport) for who, transport in self._presence.agents(shop)]

    def publish(self, shop: str, event: Typed | Reached) -> None:
        """Pass on what is told but not kept."""
        self._bus.publish(shop, event)

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
        transport = self._presence.heard(shop, event)
        agent = event.who.startswith(Role.AGENT.value)
        # Everybody is announced again and again, most often with no agent there to be told.
        if listeners := tuple(room.everybody() if agent else room.agents):
            _tell(listeners, _presence(event.who, transport))

    def _asked(self, shop: str, room: _Room, event: Asked) -> None:
        self._presence.asked(shop, event)


def _presence(person: str, transport: str | None) -> frames.Presence:
    state = "offline" if transport is None else "online"
    return frames.Presence(person, state, pack({"transport": transport}))


def _tell(followers: Iterable[Follower], frame: frames.Frame) -> None:
    for follower in tuple(followers):
        follower.tell(frame)
