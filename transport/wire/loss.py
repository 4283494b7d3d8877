"""How much one direction of a session loses: measured at its end, used where it begins.

    sender ──datagram seq 1, 2, 3, …──▶ LossMeter
    LossEstimate ◀──── `report` ───────────┘

The sender counts its datagrams, so the receiver sees the loss of exactly this direction, and which
losses came in one run. Its counts are cumulative: a report that is lost costs nothing.

What holds always: `lost` and what came add up to `upto`, in whatever order it came; a datagram that
comes when it was already counted as lost stays lost, because so late it would have saved nothing.
An estimate without evidence is the cautious PRIOR, and forgets towards it. Every operation takes
constant time and memory, also when the peer's numbers jump.
Times are seconds on any monotonic clock, given by the caller.
May import: nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

REORDER = 64
"""A datagram is lost when one that left REORDER later has come, …"""
REORDER_TIME = 0.25
"""… or when one that left later came this many seconds ago."""
REPORT_EVERY = 0.25
"""Seconds between two reports, at least."""
REPORT_NEWS = 8
"""Datagrams decided since the last report that are worth one. A loss always is."""

HALF_LIFE = 1024.0
"""Datagrams after which what a report said counts half: bursts are rare, so it takes many to know
how long they are."""
QUICK_HALF_LIFE = 128.0
"""The same for the share that is lost lately: it takes few to see that a way has become bad."""
HALF_TIME = 60.0
"""Seconds after which either counts half: a way that was not tried for long is unknown again."""
PRIOR_SENT = 16.0
PRIOR_LOST = 0.5
"""Before there is evidence: half of 16 datagrams lost, …"""
PRIOR_LOSSES = 8.0
PRIOR_AGAIN = 4.0
"""… and after eight losses, four times one more: as in bursts of two. A session is short and a
message cannot be sent again in time, so it starts with the copies that a bad way needs."""


class Loss(NamedTuple):
    """What a direction does to datagrams."""

    lost: float
    """The share of datagrams that it loses."""
    again: float
    """The share of losses after which the next datagram is lost too: the burstiness."""


PRIOR = Loss(PRIOR_LOST / PRIOR_SENT, PRIOR_AGAIN / PRIOR_LOSSES)


class LossMeter:
    """The receiving side: decides for each datagram of the peer whether it came or was lost."""

    __slots__ = (
        "_after_loss",
        "_highest",
        "_highest_at",
        "_mark",
        "_mark_at",
        "_reported_at",
        "_reported_lost",
        "_reported_upto",
        "_seen",
        "lost",
        "runs",
        "upto",
    )

    def __init__(self) -> None:
        self.upto = 0
        """Every datagram up to this one is decided."""
        self.lost = 0
        """How many of those were lost, …"""
        self.runs = 0
        """… and in how many runs of one after the other."""
        self._after_loss = False
        self._seen = 0
        """Bit i: datagram `upto + 1 + i` has come. Never more than REORDER bits."""
        self._highest = 0
        self._highest_at = 0.0
        self._mark = 0
        """The highest datagram that had come by `_mark_at`."""
        self._mark_at = 0.0
        self._reported_at = float("-inf")
        self._reported_upto = 0
        self._reported_lost = 0

    def note(self, seq: int, now: float) -> None:
        """A datagram came."""
        if now >= self._highest_at + REORDER_TIME:
            self._decide(self._highest)
        elif now >= self._mark_at + REORDER_TIME:
            self._decide(self._mark)
            self._mark, self._mark_at = self._highest, now
        if seq > self._highest:
            self._decide(seq - REORDER)
            self._highest, self._highest_at = seq, now
        if seq > self.upto:
            self._seen |= 1 << (seq - self.upto - 1)

    def due(self, now: float) -> bool:
        """Whether a report is worth sending now; it counts as sent then."""
        news = self.upto - self._reported_upto >= REPORT_NEWS or self.lost > self._reported_lost
        if not news or now < self._reported_at + REPORT_EVERY:
            return False
        self._reported_at = now
        self._reported_upto = self.upto
        self._reported_lost = self.lost
        return True

    def _decide(self, upto: int) -> None:
        """What has not come of the datagrams up to `upto` is lost."""
        count = upto - self.upto
        if count <= 0:
            return
        # At most one place past the window is looked at: behind it all are lost, in one run.
        width = min(count, REORDER + 1)
        missing = ~self._seen & ((1 << width) - 1)
        starts = missing & ~(missing << 1 | self._after_loss)
        self.lost += missing.bit_count() + count - width
        self.runs += starts.bit_count()
        self._after_loss = bool(missing >> (width - 1))
        self._seen >>= count
        self.upto = upto


class LossEstimate:
    """The sending side: what the peer's reports say of the way there, newer ones counting more."""

    __slots__ = ("_again", "_at", "_lost", "_news", "_quick_lost", "_quick_sent", "_sent")

    def __init__(self) -> None:
        self._news = (0, 0, 0)
        """(upto, lost, runs) of the newest report."""
        self._sent = 0.0
        self._lost = 0.0
        self._again = 0.0
        self._quick_sent = 0.0
        self._quick_lost = 0.0
        self._at = 0.0

    def report(self, upto: int, lost: int, runs: int, now: float) -> bool:
        """Take a report. False for one that is older than the last, or cannot be true."""
        before = self._news
        sent, gone, starts = (upto - before[0], lost - before[1], runs - before[2])
        if sent <= 0 or not 0 <= gone <= sent or not 0 <= starts <= gone:
            return False
        self._fade(sent, now)
        self._news = (upto, lost, runs)
        worth = _worth(sent / HALF_LIFE)
        self._sent += sent * worth
        self._lost += gone * worth
        self._again += (gone - starts) * worth
        quick = _worth(sent / QUICK_HALF_LIFE)
        self._quick_sent += sent * quick
        self._quick_lost += gone * quick
        return True

    def loss(self, now: float) -> Loss:
        """The estimate at `now`: the worse of two memories, for a copy costs less than a wait."""
        self._fade(0, now)
        return Loss(
            max(
                (self._lost + PRIOR_LOST) / (self._sent + PRIOR_SENT),
                self._quick_lost / (self._quick_sent + PRIOR_SENT),
            ),
            (self._again + PRIOR_AGAIN) / (self._lost + PRIOR_LOSSES),
        )

    def _fade(self, sent: int, now: float) -> None:
        aged = max(0.0, now - self._at) / HALF_TIME
        keep = 0.5 ** (sent / HALF_LIFE + aged)
        self._sent *= keep
        self._lost *= keep
        self._again *= keep
        quick = 0.5 ** (sent / QUICK_HALF_LIFE + aged)
        self._quick_sent *= quick
        self._quick_lost *= quick
        self._at = now


def _worth(half_lives: float) -> float:
    """What a datagram counts on average when the newest of its report counts one."""
    return float(1 - 0.5**half_lives) / (half_lives * math.log(2))
