"""Where a client stands in one conversation, and what it must fetch. Sans-IO.

What holds always: entries come out of `take` in order of `seq`, each once; when some are missing,
`gap` says after which `seq` to fetch until they have come; a new epoch begins again from nothing.

Bound: MAX_HELD entries past a gap are kept, later ones are dropped, for the fetch brings them too.
May import: wire.
"""

from __future__ import annotations

from transport.wire.frames import Deliver, Position, Resumed

MAX_HELD = 1000


class Cursor:
    """One conversation's position: the last entry that came out."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self._held: dict[int, Deliver] = {}
        self._head = position.seq
        """The highest seq known to exist in this epoch."""

    @property
    def gap(self) -> int | None:
        """Fetch what comes after this seq; None when nothing is missing."""
        return self.position.seq if self._head > self.position.seq else None

    def resumed(self, answer: Resumed) -> None:
        """Take the server's word: either everything follows, or it must be fetched."""
        if not answer.recovered:
            self._begin(answer.epoch)
            self._head = max(self._head, answer.head)

    def take(self, entry: Deliver) -> list[Deliver]:
        """Take an entry, delivered or fetched; return those that are now in order."""
        self._begin(entry.epoch)
        if entry.epoch != self.position.epoch or entry.seq <= self.position.seq:
            return []  # Of an epoch that is over, or a duplicate.
        self._head = max(self._head, entry.seq)
        if len(self._held) < MAX_HELD or entry.seq == self.position.seq + 1:
            self._held[entry.seq] = entry
        return self._release()

    def _begin(self, epoch: int) -> None:
        if epoch > self.position.epoch:
            self.position = Position(self.position.conversation, epoch, 0)
            self._head = 0
            self._held.clear()

    def _release(self) -> list[Deliver]:
        out = []
        seq = self.position.seq
        while (entry := self._held.pop(seq + 1, None)) is not None:
            out.append(entry)
            seq += 1
        self.position = Position(self.position.conversation, self.position.epoch, seq)
        return out
