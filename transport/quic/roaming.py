"""When a client should suspect its network, and what it does then.

    something sent that wants an answer
      └─ nothing heard for SILENCE probe timeouts ─▶ a new socket, and a probe
           └─ every `probe_every` until something is heard, for PATIENCE seconds
                └─ every MOVE_EVERY probes: another socket

So a phone that comes out of a tunnel, or whose NAT forgot it, is heard again one probe interval
and one trip later, and hears one trip after that: with the default of half a round trip the gap is
at most one and a half round trips. The cost: that many packets of about 40 bytes while nothing is
heard, and none at all while the other side answers or nothing is outstanding.

`keepalive` seconds without a packet from us send a PING, where a NAT forgets sooner than the
heartbeat of the session comes: two packets each time.
May import: connection (by the peer).
"""

from __future__ import annotations

import asyncio
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

    def sent(self, now: float) -> None:
        """Packets went out."""
        quic = self._peer.quic
        if not quic.handshake_complete:
            return
        watched = self._watch is not None or self._roaming.probe_every is None
        if quic.asked_at is not None and not watched:
            self._again(SILENCE * quic.probe_timeout)
        if self._roaming.keepalive is not None:
            self._stop_ping()
            self._ping = self._loop.call_later(self._roaming.keepalive, self._keep_alive)

    def stop(self) -> None:
        """The connection is over."""
        self._stop_ping()
        if self._watch is not None:
            self._watch.cancel()

    def _again(self, wait: float) -> None:
        self._watch = self._loop.call_later(wait, self._look)

    def _look(self) -> None:
        """Whether what was outstanding has been answered."""
        self._watch = None
        quic, now = self._peer.quic, self._peer.now()
        asked_at = quic.asked_at
        if asked_at is None or self._peer.gone or quic.end is not None:
            return
        if asked_at != self._asked_at:
            self._asked_at, self._probes = asked_at, 0
        silence = now - asked_at
        patience = SILENCE * quic.probe_timeout
        if silence < patience:
            self._again(patience - silence)
        elif silence < patience + PATIENCE:
            self._probe(now)

    def _probe(self, now: float) -> None:
        quic = self._peer.quic
        if self._probes % MOVE_EVERY == 0:
            self._try_to_move()
        else:
            quic.probe(now)
            self._peer.flush()
        self._probes += 1
        share = self._roaming.probe_every or 1.0
        self._again(min(SLOWEST, max(FASTEST, share * quic.round_trip)))

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
