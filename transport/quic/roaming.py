"""When a client should suspect its network, and what it does then.

    something heard that wants an answer
      └─ then nothing for a lull ─▶ a PING: does the way still lead to us?
    something sent that wants an answer
      └─ nothing heard for SILENCE probe timeouts ─▶ a probe
           └─ every `probe_every` until something is heard, for EAGER seconds, then more slowly,
              for PATIENCE seconds
                └─ every FRESH_SHARE-th of them from a fresh socket beside the present one
    another socket, because we were told
      └─ a probe at once, another AGAIN later, then every `probe_every` until it is heard

So a phone that comes out of a tunnel is heard one probe interval and one trip later, whichever of
its two sockets the way leads back to, and hears one trip after that. The present socket comes
first: the server knows its address, and may say there at once all that somebody waits for.

Who only listens sends nothing that wants an answer, so a lull is what it has to suspect: half a
round trip. Where packets have come without a pause for RHYTHM seconds, less is suspicious: LULL
times the longest pause lately. What then may be wrong is that a NAT forgot us, so the question is
asked from what the server takes for another address: it is of full size, that the server may answer
with three times as much, and is asked twice, for nobody notices a loss in time.

What holds always: a quiet connection stays quiet (lull.py says when there is a question). The cost:
a packet of 400 bytes and its answer for each lull; in a rhythm two of 1,200 bytes, for two lulls a
second at most; for each probe about 45 bytes and what is outstanding, and 400 more from a socket
that has heard nothing yet. With a round trip of 200 ms a tunnel of ten seconds takes about 230
probes.

`keepalive` seconds without a packet from us send a PING, where a NAT forgets sooner than the
heartbeat of the session comes: two packets each time.
May import: aio (bounds; the rest by the peer), lull.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from transport.quic.aio.bounds import ROOM_TO_ANSWER
from transport.quic.lull import AGAIN, Lull

if TYPE_CHECKING:
    from transport.quic.peer import Peer

SILENCE = 3
"""Probe timeouts without an answer after which the path is suspected."""
EAGER = 15.0
"""Seconds for which probes come every `probe_every`; then SLACK times as far apart."""
SLACK = 2.5
PATIENCE = 30.0
"""Seconds of probing. After it the timers of QUIC itself go on alone, until the idle timeout."""
FRESH_SHARE = 4
"""Of so many probes one goes from a fresh socket: a NAT may have got stuck, not only forgotten."""
FASTEST, SLOWEST = 0.04, 0.5
"""Seconds between two probes, at least and at most."""


class Roaming(Struct, frozen=True, kw_only=True):
    """`probe_every` is in round trips; None leaves the path to the timers of QUIC."""

    probe_every: float | None = 0.2
    keepalive: float | None = None


class Ways(Protocol):
    """The sockets of the connection."""

    def try_fresh(self) -> bool:
        """Send from a fresh socket for now, if there is one to be had. Says which it is."""
        ...

    def return_home(self) -> bool:
        """Send from the present one again: False."""
        ...


class Keeper:
    """Watches over the path of one client connection."""

    def __init__(self, peer: Peer, ways: Ways, roaming: Roaming) -> None:
        self._peer = peer
        self._ways = ways
        self._roaming = roaming
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None
        self._watch_at = 0.0
        self._ping: asyncio.TimerHandle | None = None
        self._probes = 0
        self._asked_at: float | None = None
        self._moved_at: float | None = None
        """When we took the present socket, until something is heard on it."""
        self._lull = Lull()

    def heard(self, now: float, *, here: bool) -> None:
        """A packet came; whether on the present socket."""
        if here:
            self._moved_at = None
        quic = self._peer.quic
        self._lull.heard(now, _within(quic.round_trip / 2), self._patience, asks=quic.owes_answer)
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
            self._moved_at = now = self._peer.now()
            self._again(AGAIN, now)

    def back(self) -> None:
        """There is a way again where there was none: ask at once whether it leads anywhere."""
        if self._roaming.probe_every is not None and self._peer.quic.handshake_complete:
            self._ask(self._peer.quic.full_size)

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
        return _within(share * self._peer.quic.round_trip)

    def _begin(self, now: float) -> None:
        """Watch, where there is something to watch for and nobody does so early enough."""
        if self._roaming.probe_every is None or not self._peer.quic.handshake_complete:
            return
        due = self._due(now)
        # What is due already is being seen to: that watch is the time until the next probe.
        if due is not None and (self._watch is None or now < due < self._watch_at):
            self._again(max(0.0, due - now), now)

    def _again(self, wait: float, now: float) -> None:
        self._stop_watch()
        self._watch_at = now + wait
        self._watch = self._loop.call_later(wait, self._look)

    def _due(self, now: float) -> float | None:
        """When to look at the path, if nothing is heard until then."""
        asked_at = self._peer.quic.asked_at
        due = [] if self._lull.ends is None else [self._lull.ends]
        if asked_at is not None and now - asked_at < self._patience + PATIENCE:
            due.append(asked_at + self._patience)
        return min(due, default=None)

    def _look(self) -> None:
        """Whether what is outstanding has been answered, and whether somebody still speaks."""
        self._watch = None
        quic, now = self._peer.quic, self._peer.now()
        if self._peer.gone or quic.end is not None:
            return
        asked_at, ends = quic.asked_at, self._lull.ends
        if asked_at is not None and self._suspicious(asked_at, now):
            self._probe(asked_at, now)
        elif ends is not None and now >= ends:
            self._question(now)
        else:
            self._begin(now)

    def _suspicious(self, asked_at: float, now: float) -> bool:
        """Whether this is too long without an answer: of a new socket little is too long."""
        silence = now - asked_at
        if silence >= self._patience + PATIENCE:
            return False
        return self._moved_at is not None or silence >= self._patience

    def _question(self, now: float) -> None:
        early = self._lull.early
        self._lull.asked(now)
        self._ask(self._peer.quic.full_size if early else ROOM_TO_ANSWER)

    def _ask(self, room: int) -> None:
        self._peer.quic.ask(room)
        self._peer.flush()

    def _probe(self, asked_at: float, now: float) -> None:
        if asked_at != self._asked_at:
            self._asked_at, self._probes = asked_at, 0
        self._probes += 1
        silence = now - asked_at
        fresh = self._probes % FRESH_SHARE == 0 and silence >= self._patience
        fresh = self._ways.try_fresh() if fresh else self._ways.return_home()
        self._peer.quic.probe(now)
        if self._moved_at is not None and now - self._moved_at < self._peer.quic.probe_timeout:
            self._peer.quic.ask(self._peer.quic.full_size)
        elif fresh or self._moved_at is not None:
            self._peer.quic.ask(ROOM_TO_ANSWER)
        self._peer.flush()
        wait = self._interval if silence < EAGER else min(SLOWEST, SLACK * self._interval)
        self._again(wait, now)

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


def _within(seconds: float) -> float:
    return min(SLOWEST, max(FASTEST, seconds))
