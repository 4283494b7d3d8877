"""When a client should suspect its network, and what it does then.

    something heard that wants an answer
      └─ then nothing for a lull ─▶ one PING: does the way still lead to us?
    something sent that wants an answer
      └─ nothing heard for SILENCE probe timeouts ─▶ a probe
           └─ every `probe_every` until something is heard, for PATIENCE seconds
                └─ every MOVE_EVERY probes: another socket
    another socket, because we were told or suspect
      └─ a probe every `probe_every` until something is heard on it

So a phone that comes out of a tunnel, or whose NAT forgot it, is heard again one probe interval
and one trip later, and hears one trip after that: with the default of half a round trip the gap is
at most one and a half round trips. Who only listens sends nothing that wants an answer, so a lull
is what it has to suspect: SILENCE probe timeouts, and as little as half a round trip after packets
that had come close upon each other (LULL times the longest pause lately).

What holds always: nobody is asked twice about one lull, and what is heard with nothing in it that
wants an answer begins none, so a quiet connection stays quiet. The cost: a packet of 400 bytes and
its answer for each lull, one of about 40 for each probe, or 400 from a socket that has heard
nothing yet, because the server may answer there with three times as much and no more.

`keepalive` seconds without a packet from us send a PING, where a NAT forgets sooner than the
heartbeat of the session comes: two packets each time.
May import: aio (by the peer).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from transport.quic.peer import Peer

SILENCE = 3
"""Probe timeouts without an answer after which the path is suspected."""
PATIENCE = 30.0
"""Seconds of probing. After it the timers of QUIC itself go on alone, until the idle timeout."""
MOVE_EVERY = 16
"""Probes after which another socket is tried: the NAT may have got stuck, not only forgotten."""
FASTEST, SLOWEST = 0.04, 0.5
"""Seconds between two probes, at least and at most."""
LULL = 2.0
"""Times the longest pause lately that a pause must last to be a lull."""
FADING = 0.98
"""What is left of that longest pause after each packet: a hundred packets forget it."""


class Roaming(Struct, frozen=True, kw_only=True):
    """`probe_every` is in round trips; None leaves the path to the timers of QUIC."""

    probe_every: float | None = 0.5
    keepalive: float | None = None


class Keeper:
    """Watches over the path of one client connection."""

    def __init__(self, peer: Peer, move: Callable[[], None], roaming: Roaming) -> None:
        self._peer = peer
        self._move = move
        self._roaming = roaming
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None
        self._ping: asyncio.TimerHandle | None = None
        self._probes = 0
        self._asked_at: float | None = None
        self._moved_at: float | None = None
        """When we took the present socket, until something is heard on it."""
        self._heard_at: float | None = None
        """When we heard something that wants an answer, until a lull was asked about."""
        self._last = 0.0
        self._pause = math.inf

    def heard(self, now: float, *, here: bool) -> None:
        """A packet came; whether on the present socket."""
        self._pause = max(now - self._last, FADING * min(self._pause, self._patience))
        self._last = now
        if here:
            self._moved_at = None
        self._heard_at = now if self._peer.quic.owes_answer else None
        self._begin(now)

    def sent(self, now: float) -> None:
        """Packets went out."""
        self._begin(now)
        if self._roaming.keepalive is not None and self._peer.quic.handshake_complete:
            self._stop_ping()
            self._ping = self._loop.call_later(self._roaming.keepalive, self._keep_alive)

    def moved(self) -> None:
        """There is another socket, and a packet went out on it that wants an answer."""
        if self._roaming.probe_every is not None:
            self._moved_at = self._peer.now()
            self._again(self._interval)

    def stop(self) -> None:
        """The connection is over."""
        self._stop_ping()
        self._stop_watch()

    @property
    def _patience(self) -> float:
        return SILENCE * self._peer.quic.probe_timeout

    @property
    def _interval(self) -> float:
        share = self._roaming.probe_every or 1.0
        return min(SLOWEST, max(FASTEST, share * self._peer.quic.round_trip))

    def _begin(self, now: float) -> None:
        """Watch, where there is something to watch for and nobody does."""
        watched = self._watch is not None or self._roaming.probe_every is None
        if watched or not self._peer.quic.handshake_complete:
            return
        if (due := self._due(now)) is not None:
            self._again(max(0.0, due - now))

    def _again(self, wait: float) -> None:
        self._stop_watch()
        self._watch = self._loop.call_later(wait, self._look)

    def _due(self, now: float) -> float | None:
        """When to look at the path, if nothing is heard until then."""
        asked_at, due = self._peer.quic.asked_at, []
        if asked_at is not None and now - asked_at < self._patience + PATIENCE:
            due.append(asked_at + self._patience)
        if self._heard_at is not None:
            due.append(self._lull_ends(self._heard_at))
        return min(due, default=None)

    def _lull_ends(self, heard_at: float) -> float:
        return heard_at + min(self._patience, max(self._interval, LULL * self._pause))

    def _look(self) -> None:
        """Whether what is outstanding has been answered, and whether somebody still speaks."""
        self._watch = None
        quic, now = self._peer.quic, self._peer.now()
        if self._peer.gone or quic.end is not None:
            return
        asked_at = quic.asked_at
        if asked_at is not None and self._suspicious(asked_at, now):
            self._probe(asked_at, now)
        elif self._heard_at is not None and now >= self._lull_ends(self._heard_at):
            self._heard_at = None
            quic.ask()
            self._peer.flush()
        else:
            self._begin(now)

    def _suspicious(self, asked_at: float, now: float) -> bool:
        """Whether this is too long without an answer: of a new socket little is too long."""
        silence = now - asked_at
        if silence >= self._patience + PATIENCE:
            return False
        return self._moved_at is not None or silence >= self._patience

    def _probe(self, asked_at: float, now: float) -> None:
        if asked_at != self._asked_at:
            self._asked_at, self._probes = asked_at, 0
        quic = self._peer.quic
        self._probes += 1
        if self._probes % MOVE_EVERY == 0:
            self._try_to_move()
        else:
            quic.probe(now)
            if self._moved_at is not None:
                quic.ask()
            self._peer.flush()
        self._again(self._interval)

    def _try_to_move(self) -> None:
        try:
            self._move()
        except OSError:
            pass  # no socket to be had now; the next probe tries again

    def _keep_alive(self) -> None:
        self._ping = None
        if not self._peer.gone and self._peer.quic.end is None:
            self._peer.quic.send_ping(0)
            self._peer.flush()

    def _stop_ping(self) -> None:
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
