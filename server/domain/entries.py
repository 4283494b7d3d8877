"""The kinds of entry: their bodies, their limits, and who may send them. Pure.

A body comes in as MessagePack, is checked, and is encoded anew in one canonical way, so that bodies
with equal meaning are equal bytes and a resend is told from a conflict by comparing them. A body
may not hold fields this server does not know: silently losing half of a message is worse than
refusing it.

What holds always: `encode(parse(kind, raw))` is a fixed point; `parse` raises Refusal and nothing
else, whatever the bytes are.
May import: people, refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from server.domain import people
from server.domain.people import Role
from server.domain.refusal import Code, Refusal

MAX_TEXT = 8_000
"""Characters of one text, after trimming. Over it: `too_large`."""
HIDDEN = "hidden"
"""The kind under which a visitor sees an entry that is not for them. Its body is empty."""

Seq = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    text: str


class Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """Only the author of the message `seq`."""

    seq: Seq
    text: str


class Deletion(Struct, frozen=True, forbid_unknown_fields=True):
    """The author of the message `seq`, or an agent."""

    seq: Seq


class Note(Struct, frozen=True, forbid_unknown_fields=True):
    text: str


class Assignment(Struct, frozen=True, forbid_unknown_fields=True):
    """`agent` is an agent's text id, or None for nobody."""

    agent: str | None


class Status(Struct, frozen=True, forbid_unknown_fields=True):
    status: Literal["open", "closed"]


class Read(Struct, frozen=True, forbid_unknown_fields=True):
    seq: Seq


class Rating(Struct, frozen=True, forbid_unknown_fields=True):
    score: Annotated[int, Meta(ge=1, le=5)]
    comment: str = ""


Body = Message | Edit | Deletion | Note | Assignment | Status | Read | Rating


def _anything(_: Any) -> bool:
    return True


def _closes(body: Any) -> bool:
    return isinstance(body, Status) and body.status == "closed"


class Kind(NamedTuple):
    """One row of the table. `senders`: who may send it, if the body passes their test."""

    body: type[Struct]
    senders: Mapping[Role, Callable[[Any], bool]]
    hidden: bool = False
    """Whether visitors see only that there is something."""
    sendable: bool = True
    """Whether the frame `send` may carry it; what is not has a frame of its own."""


_BOTH = {Role.VISITOR: _anything, Role.AGENT: _anything}
_AGENTS = {Role.AGENT: _anything}
_VISITORS = {Role.VISITOR: _anything}

KINDS: dict[str, Kind] = {
    "message": Kind(Message, _BOTH),
    "edit": Kind(Edit, _BOTH),
    "deletion": Kind(Deletion, _BOTH),
    "note": Kind(Note, _AGENTS, hidden=True),
    "assignment": Kind(Assignment, _AGENTS),
    "status": Kind(Status, {Role.AGENT: _anything, Role.VISITOR: _closes}),
    "read": Kind(Read, _BOTH, sendable=False),
    "rating": Kind(Rating, _VISITORS),
}

_encoder = msgspec.msgpack.Encoder()
_decoders = {name: msgspec.msgpack.Decoder(kind.body) for name, kind in KINDS.items()}


def parse(kind: str, raw: bytes | msgspec.Raw) -> Body:
    """Check and normalise what a client sent. Raises Refusal."""
    decoder = _decoders.get(kind)
    if decoder is None:
        raise Refusal(Code.UNKNOWN_KIND, f"there is no kind of entry called “{kind[:32]}”")
    try:
        body: Any = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(Code.INVALID, f"the body does not fit the kind {kind}: {error}") from None
    return _normal(body)


def stored(kind: str, raw: bytes) -> Body | None:
    """Read a body out of the log; None for what this version does not know. Never raises."""
    decoder = _decoders.get(kind)
    if decoder is None:
        return None
    try:
        body: Any = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return body  # type: ignore[no-any-return]


def encode(body: Body) -> bytes:
    """The canonical bytes of a body."""
    return _encoder.encode(body)


def allow(role: Role, kind: str, body: Body) -> None:
    """Raise Refusal unless somebody in this role may send this, whatever it refers to."""
    test = KINDS[kind].senders.get(role)
    if test is None or not test(body):
        raise Refusal(Code.FORBIDDEN, f"this is not yours to send: {kind}")


def _normal(body: Any) -> Body:
    if isinstance(body, Message | Edit | Note):
        return msgspec.structs.replace(body, text=_text(body.text))
    if isinstance(body, Rating):
        return msgspec.structs.replace(body, comment=_text(body.comment, empty=True))
    if isinstance(body, Assignment) and body.agent is not None:
        person = people.parse(body.agent)
        if person is None or person[0] is not Role.AGENT:
            raise Refusal(Code.INVALID, "agent must be a:<uuid> or nil")
    return body  # type: ignore[no-any-return]


def _text(text: str, *, empty: bool = False) -> str:
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise Refusal(Code.TOO_LARGE, f"a text may have {MAX_TEXT} characters, not {len(text)}")
    if not text and not empty:
        raise Refusal(Code.INVALID, "the text is empty")
    return text
