"""The frames: the whole vocabulary that crosses a session, as frozen records.

A frame is a MessagePack array whose first item is its type number; the other items are the fields
below in order. A receiver ignores items past the ones it knows, so fields may be added at the end.
`Raw` fields are MessagePack maps that this layer carries without looking inside: what they mean is
the server's business (docs/protocol.md, "Kinds of entry" and "Calls").

What holds always: frames are immutable, and every type has exactly one row in `TRAITS`.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, NamedTuple
from uuid import UUID

from msgspec import Meta, Raw, Struct

VERSION = 1
"""The protocol version that `hello` carries."""

Uint = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""Every number on the wire: what a JavaScript client can count exactly."""

EMPTY = Raw(b"\x80")
"""An empty MessagePack map."""


class Position(Struct, frozen=True, array_like=True):
    """How far a client has read a conversation: the last entry it holds, `(0, 0)` for none."""

    conversation: UUID
    epoch: Uint
    seq: Uint


class Resumed(Struct, frozen=True, array_like=True):
    """The server's answer to a `Position`.

    `recovered` is true when every entry after the position follows as `deliver`; false tells the
    client to drop what it holds and fetch anew with the call `history`.
    """

    conversation: UUID
    epoch: Uint
    head: Uint
    recovered: bool


class Hello(Struct, frozen=True, array_like=True, tag=0):
    """First frame of a client: who it is (`token`) and where it stood (`resume`)."""

    version: Uint
    token: str
    resume: tuple[Position, ...] = ()
    client: str = ""


class Welcome(Struct, frozen=True, array_like=True, tag=1):
    """First frame of a server: `now` in Unix ms, `heartbeat` in ms, `state` a map."""

    version: Uint
    session: UUID
    me: str
    now: Uint
    heartbeat: Uint
    resumed: tuple[Resumed, ...] = ()
    state: Raw = EMPTY


class Send(Struct, frozen=True, array_like=True, tag=2):
    """A client asks for an entry to be appended. `client_id`, a UUIDv7, makes resending safe."""

    client_id: UUID
    conversation: UUID
    kind: str
    body: Raw = EMPTY


class Accepted(Struct, frozen=True, array_like=True, tag=3):
    """The entry asked for with `client_id` is on disk as (`epoch`, `seq`) since `at` (Unix ms)."""

    client_id: UUID
    conversation: UUID
    epoch: Uint
    seq: Uint
    at: Uint


class Deliver(Struct, frozen=True, array_like=True, tag=4):
    """One entry of a conversation's log, after its commit."""

    conversation: UUID
    epoch: Uint
    seq: Uint
    author: str
    client_id: UUID
    kind: str
    body: Raw
    at: Uint


class Received(Struct, frozen=True, array_like=True, tag=5):
    """Everything up to `seq` has reached `who` (empty from a client: itself)."""

    conversation: UUID
    seq: Uint
    who: str = ""


class Read(Struct, frozen=True, array_like=True, tag=6):
    """A client's person has seen everything up to `seq`."""

    conversation: UUID
    seq: Uint


class Typing(Struct, frozen=True, array_like=True, tag=7):
    """`who` (empty from a client: itself) started (`on`) or stopped typing."""

    conversation: UUID
    on: bool
    who: str = ""


class Presence(Struct, frozen=True, array_like=True, tag=8):
    """`who` is `state` (online, away, offline); `detail` is a map such as `{"transport": …}`."""

    who: str
    state: str
    detail: Raw = EMPTY


class Call(Struct, frozen=True, array_like=True, tag=9):
    """A question with an answer. `id` is unique among the session's unanswered calls."""

    id: Uint
    method: str
    params: Raw = EMPTY


class Result(Struct, frozen=True, array_like=True, tag=10):
    """The answer to the call `id`."""

    id: Uint
    value: Raw = EMPTY


class Refused(Struct, frozen=True, array_like=True, tag=11):
    """A `send` (named by `client_id`) or a `call` (named by `id`) was not carried out.

    `retry_after` in ms says when trying the same again makes sense; None: never unchanged.
    """

    code: str
    message: str
    retry_after: Uint | None = None
    client_id: UUID | None = None
    call: Uint | None = None


class Drain(Struct, frozen=True, array_like=True, tag=12):
    """The server is leaving: open the next session within `deadline` ms, then close this one."""

    deadline: Uint


class Ping(Struct, frozen=True, array_like=True, tag=13):
    """Are you there? Answered at once by `pong` with the same nonce."""

    nonce: Uint


class Pong(Struct, frozen=True, array_like=True, tag=14):
    """Yes, I am here."""

    nonce: Uint


class Close(Struct, frozen=True, array_like=True, tag=15):
    """The last frame of either side. Codes: docs/protocol.md, "Close codes"."""

    code: Uint
    reason: str = ""


class Report(Struct, frozen=True, array_like=True, tag=16):
    """What became of the datagrams of the one who gets this: counts since the session began.

    All up to the one numbered `upto` are decided: `lost` of them did not come, in `runs` runs of
    one after the other. `useful` copies brought their frame first; `wasted` ones found it there.
    """

    upto: Uint
    lost: Uint
    runs: Uint
    useful: Uint = 0
    wasted: Uint = 0


class Queued(Struct, frozen=True, array_like=True, tag=17):
    """The entry asked for with `client_id` is on disk in this region since `at` (Unix ms), on its
    way to the conversation's home, which gives it its place: then it is delivered, or refused."""

    client_id: UUID
    conversation: UUID
    at: Uint


Frame = (
    Hello | Welcome | Send | Accepted | Deliver | Received | Read | Typing | Presence
    | Call | Result | Refused | Drain | Ping | Pong | Close | Report | Queued
)  # fmt: skip


class Lane(Enum):
    """How a frame travels on a session that has datagrams."""

    HEDGED = "hedged"
    """Numbered; datagram copies first, the stream as backstop."""
    STREAM = "stream"
    """Numbered; on the stream alone."""
    DATAGRAM = "datagram"
    """Unnumbered; one datagram, may be lost. On a session without datagrams: like STREAM."""


class Traits(NamedTuple):
    """What the lane must know of a frame type."""

    name: str
    lane: Lane


TRAITS: dict[type[Struct], Traits] = {
    Hello: Traits("hello", Lane.HEDGED),
    Welcome: Traits("welcome", Lane.HEDGED),
    Send: Traits("send", Lane.HEDGED),
    Accepted: Traits("accepted", Lane.HEDGED),
    Deliver: Traits("deliver", Lane.HEDGED),
    Received: Traits("received", Lane.STREAM),
    Read: Traits("read", Lane.STREAM),
    Typing: Traits("typing", Lane.DATAGRAM),
    Presence: Traits("presence", Lane.DATAGRAM),
    Call: Traits("call", Lane.HEDGED),
    Result: Traits("result", Lane.HEDGED),
    Refused: Traits("refused", Lane.HEDGED),
    Drain: Traits("drain", Lane.HEDGED),
    Ping: Traits("ping", Lane.STREAM),
    Pong: Traits("pong", Lane.STREAM),
    Close: Traits("close", Lane.STREAM),
    Report: Traits("report", Lane.DATAGRAM),
    Queued: Traits("queued", Lane.HEDGED),
}


def flow_of(frame: Frame) -> bytes | None:
    """The flow whose order `frame` keeps: its conversation, or None when it stands alone.

    Marks stand alone: they go by the stream only, and a message must not wait for a lost mark.
    """
    if isinstance(frame, Received | Read):
        return None
    conversation: UUID | None = getattr(frame, "conversation", None)
    return None if conversation is None else conversation.bytes
