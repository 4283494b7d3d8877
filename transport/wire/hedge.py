"""How many copies of a frame go out, when, and on what: a table, chosen by the loss that is seen.

What holds always: more loss or longer bursts never mean fewer copies; a further copy never makes an
earlier one later; the last copy leaves at most SPREAD after the first; exactly one copy is the
stream's, and it never waits for the budget.
May import: loss.
"""

from __future__ import annotations

from typing import NamedTuple

from transport.wire.loss import Loss

TARGET = 2e-4
"""The share of frames that may lose every copy: a fifth of what p99.9 allows, for estimates err."""
CLEAN = 0.003
"""Up to this loss a direction is clean: one copy."""
PROBE = 4
"""On a clean direction every PROBE-th frame goes by datagram too, or the loss would go unseen."""
GAP = 0.015
"""Seconds between the copies where losses come alone; a full queue has emptied a little by then."""
SPREAD = 0.09
"""Seconds from the first to the last copy at most: less than a retransmission on the paths that
matter."""

BUDGET_RATE = 32 * 1024
"""Bytes per second that a session may spend on datagram copies in the long run, …"""
BUDGET_BURST = 64 * 1024
"""… and at once. What goes over it goes by the stream alone."""


class Plan(NamedTuple):
    """The copies of a frame: one more than there are `gaps` (seconds from one to the next)."""

    gaps: tuple[float, ...]
    stream: int
    """Which of the copies is the stream's, from 0. The others are datagrams."""

    @property
    def copies(self) -> int:
        return len(self.gaps) + 1


def _plan(*gaps: int, stream: int = 1) -> Plan:
    return Plan(tuple(gap / 1000 for gap in gaps), stream)


PLANS = (
    _plan(stream=0),
    _plan(15),
    _plan(15, 15),
    _plan(10, 15, 20),
    _plan(8, 11, 15, 20),
    _plan(7, 9, 12, 16, 20),
    _plan(6, 8, 10, 13, 16, 20),
    _plan(5, 5, 8, 11, 14, 17, 20),
    _plan(5, 5, 5, 8, 10, 13, 17, 20),
    _plan(5, 5, 5, 6, 9, 11, 13, 15, 18),
    _plan(5, 5, 5, 5, 6, 9, 11, 13, 15, 15),
    _plan(5, 5, 5, 5, 5, 6, 7, 9, 12, 14, 16),
)
"""By number of copies, from one; gaps in ms. Many copies mean bursts: the first follow closely,
which saves most frames early; the later ones ever further apart, to outlive what takes them all.

The stream comes second. A datagram goes first because nothing can block it; the stream soon after,
because what is lost on it comes back a round trip after it left; and the datagrams that follow have
the loss noticed, for QUIC sees one by the ACK of what was sent later (RFC 9002 section 6.1)."""
MAX_COPIES = len(PLANS)
STREAM_ALONE = PLANS[0]
PROBING = _plan(15, stream=0)
"""The stream at once, then a datagram that is mostly there to be counted."""


class Policy(NamedTuple):
    """How a sender hedges: its plans by number of copies from one, up to which loss it takes a
    direction for clean, and what copies may cost in bytes a second, and at once."""

    plans: tuple[Plan, ...] = PLANS
    clean: float = CLEAN
    rate: float = BUDGET_RATE
    burst: float = BUDGET_BURST


SESSION = Policy()
"""What sessions do."""


def plan(loss: Loss, policy: Policy = SESSION) -> Plan:
    """The fewest copies that all get lost at most TARGET of the time, as far as there are plans."""
    if loss.lost <= policy.clean:
        return STREAM_ALONE
    copies = 2
    all_lost = loss.lost * loss.again
    while all_lost > TARGET and copies < len(policy.plans):
        all_lost *= loss.again
        copies += 1
    return policy.plans[copies - 1]


class Budget:
    """A token bucket of bytes."""

    __slots__ = ("_at", "_left", "_policy")

    def __init__(self, policy: Policy = SESSION) -> None:
        self._policy = policy
        self._left = float(policy.burst)
        self._at = 0.0

    def take(self, size: int, wanted: int, now: float) -> int:
        """Take `wanted` times `size` bytes, or as many times as there are; say how many."""
        earned = max(0.0, now - self._at) * self._policy.rate
        self._left = min(self._policy.burst, self._left + earned)
        self._at = now
        got = min(wanted, int(self._left // size))
        self._left -= got * size
        return got
