"""The seams between storage and server: MessageLog, the hot path, Directory, the cold path, and
Journal, what a transaction over several places leaves on disk.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct


class StorageError(Exception):
    """Root of everything that storage raises on purpose. What was being stored was not stored."""


class StoreBusy(StorageError):
    """The bounded queue before the disk is full. Try again after `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the store is busy, try again in {retry_after:g} s")
        self.retry_after = retry_after


class StoreFull(StorageError):
    """The disk is full. What was accepted stays; appends work again once there is room."""


class StoreUnavailable(StorageError):
    """The store cannot be reached or has been closed."""


class NotUnique(StorageError):
    """A record with the same unique key (an agent's login, say) exists already."""


class Missing(StorageError):
    """A record refers to another (a visitor's shop, say) that does not exist."""


class Findable(Struct, frozen=True):
    """By which text a message is found once the draft that carries this is stored.

    Without `seq` it is the draft's own place. With `seq` it is the message at that place, if it is
    still found: an edit gives it another text, and an empty text takes it away for good.
    """

    shop: str
    text: str
    seq: int | None = None


class Draft(Struct, frozen=True):
    """An entry that asks to be appended.

    `author` is at most 64 characters, `kind` at most 32, `body` any bytes up to 64 KiB which the
    log does not look into, `at` Unix milliseconds. (conversation, author, client_id) is unique.
    `findable` is for Search: it is written in the same transaction, is no part of the entry, and
    says nothing about whether a draft is a resend.
    """

    conversation: UUID
    author: str
    client_id: UUID
    kind: str
    body: bytes
    at: int
    findable: Findable | None = None


class Entry(Struct, frozen=True):
    """One item of a conversation's log: a draft with its place."""

    conversation: UUID
    epoch: int
    seq: int
    author: str
    client_id: UUID
    kind: str
    body: bytes
    at: int


class Appended(Struct, frozen=True, tag=True):
    """The draft is on disk as `entry`. `fresh` is False when it was there already (a resend)."""

    entry: Entry
    fresh: bool


class Conflict(Struct, frozen=True, tag=True):
    """The id was used before with another kind or body; the log holds `entry` under it."""

    entry: Entry


class Head(Struct, frozen=True):
    """The last position of a conversation; (epoch, 0) for one without entries."""

    epoch: int
    seq: int


class MessageLog(Protocol):
    """One ordered log per conversation.

    Invariants, which tests/conformance/log_suite.py holds every implementation to:
    - `seq` is gapless from 1 within an epoch, in the order of the commits; a new log starts at
      epoch 1;
    - when `append` returns, every Appended entry is on disk and survives a kill at once;
    - drafts of one `append` call keep their order, and either all fresh ones are stored or, when
      it raises, none is;
    - the same (conversation, author, client_id) with equal kind and body returns the first entry
      and stores nothing; with another kind or body it returns Conflict and stores nothing;
    - callers whose appends commit in one group are resumed in the order of their `seq`, so that
      who publishes without awaiting in between publishes in order;
    - what waits for the disk is bounded: over the bound `append` raises StoreBusy at once;
    - an `append` that is cancelled while it waits may still be stored; a resend tells;
    - arguments beyond the limits in limits.py raise ValueError: the caller's mistake.
    """

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | Conflict]:
        """Store drafts durably; one result per draft, in order.

        Raises StoreBusy, StoreFull or StoreUnavailable; then nothing of the call was stored, save
        that a store may have gone away in the very moment of the commit: a resend tells.
        """
        ...

    async def read(self, conversation: UUID, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """Entries with seq > `after`, ascending, at most `limit`."""
        ...

    async def read_before(
        self, conversation: UUID, *, before: int | None = None, limit: int = 100
    ) -> list[Entry]:
        """The last `limit` entries with seq < `before` (None: the very last), ascending."""
        ...

    async def heads(self, conversations: Sequence[UUID]) -> dict[UUID, Head]:
        """The heads of those conversations that have entries; the others are absent."""
        ...

    async def close(self) -> None:
        """Finish what waits, then release everything. Later calls raise StoreUnavailable."""
        ...


class Shop(Struct, frozen=True):
    """A storefront (tenant). `origins` are the web origins its widget may come from.

    `identity_key`: base64url HS256 secret with which the shop signs its visitors' JWTs, or None.
    `settings`: MessagePack or JSON text that storage does not look into (appearance, greeting).
    """

    id: str
    name: str
    origins: tuple[str, ...]
    identity_key: str | None = None
    settings: str = "{}"
    created_at: int = 0


class Agent(Struct, frozen=True):
    """A person of the shop. `email` is unique over all shops, compared without case."""

    id: UUID
    shop: str
    email: str
    name: str
    password_hash: str
    role: str = "agent"
    """agent or admin"""
    active: bool = True
    created_at: int = 0
    settings: str = "{}"


class Visitor(Struct, frozen=True):
    """A shopper. `external_id` is the shop's own id from a signed JWT, unique within the shop."""

    id: UUID
    shop: str
    external_id: str | None = None
    name: str | None = None
    email: str | None = None
    language: str | None = None
    profile: str = "{}"
    created_at: int = 0
    seen_at: int = 0


class Conversation(Struct, frozen=True):
    """A conversation and the fold of its log up to `seq`, a cache that the log can rebuild.

    `summary` is text that storage does not look into; `status` (open, closed) and `assignee`
    are copied out of the fold so that lists can filter on them.
    """

    id: UUID
    shop: str
    visitor: UUID
    status: str = "open"
    assignee: UUID | None = None
    seq: int = 0
    summary: str = "{}"
    created_at: int = 0
    updated_at: int = 0


class Directory(Protocol):
    """People, shops and conversations.

    Invariants, which tests/conformance/directory_suite.py holds every implementation to:
    - a `put_…` inserts or replaces the whole record, and is on disk when it returns;
    - a write that raises changed nothing; like the log's, it may raise StoreBusy, StoreFull or
      StoreUnavailable;
    - `create_conversation` is atomic: of many callers with one id exactly one creates, and all
      get the record that is stored;
    - `fold_conversation` never goes back: an older `seq` than the stored one changes nothing, and
      neither does a fold of a conversation that does not exist;
    - the shop of an agent, visitor or conversation, and the visitor of a conversation, exist
      before it does: otherwise Missing is raised and nothing is stored.
    """

    async def get_shop(self, id: str) -> Shop | None: ...
    async def list_shops(self) -> list[Shop]: ...
    async def put_shop(self, shop: Shop) -> None: ...

    async def get_agent(self, id: UUID) -> Agent | None: ...
    async def find_agent(self, email: str) -> Agent | None: ...
    async def list_agents(self, shop: str) -> list[Agent]: ...
    async def put_agent(self, agent: Agent) -> None:
        """Raises NotUnique when another agent has the e-mail address."""
        ...

    async def get_visitor(self, id: UUID) -> Visitor | None: ...
    async def get_visitors(self, ids: Sequence[UUID]) -> dict[UUID, Visitor]: ...
    async def find_visitor(self, shop: str, external_id: str) -> Visitor | None: ...
    async def put_visitor(self, visitor: Visitor) -> None:
        """Raises NotUnique when another visitor of the shop has the external id."""
        ...

    async def get_conversation(self, id: UUID) -> Conversation | None: ...
    async def create_conversation(self, conversation: Conversation) -> tuple[Conversation, bool]:
        """Store it unless the id exists; returns what is stored, and whether this call created."""
        ...

    async def fold_conversation(self, conversation: Conversation) -> None:
        """Replace status, assignee, seq, summary and updated_at, if `seq` is not older."""
        ...

    async def list_conversations(
        self,
        shop: str,
        *,
        status: str | None = None,
        assignee: UUID | None = None,
        visitor: UUID | None = None,
        before: tuple[int, UUID] | None = None,
        limit: int = 50,
    ) -> list[Conversation]:
        """Newest `updated_at` first; `before` is (updated_at, id) of the last row of a page."""
        ...

    async def close(self) -> None: ...


class Hit(Struct, frozen=True):
    """A message that was found. `text` is what it says now, `place` where it stands among all."""

    conversation: UUID
    seq: int
    author: str
    kind: str
    at: int
    text: str
    place: int


class Found(Struct, frozen=True):
    """What one message of a conversation is found by, when a conversation is indexed anew."""

    seq: int
    author: str
    kind: str
    at: int
    text: str


class Search(Protocol):
    """Messages and visitors by their words (words.py says what those are).

    Invariants, which tests/conformance/search_suite.py holds every implementation to:
    - what was appended with a `findable` is found as soon as `append` has returned, and what was
      put as a visitor as soon as `put_visitor` has; nothing is found that was not stored;
    - hits come with the newest `at` first, and `place` orders them strictly, so that paging by the
      last one's place neither skips nor repeats any that was there at the first page;
    - any text may be a query: it finds something or nothing, and no sign in it means anything;
    - a conversation is in `unindexed` until it has been indexed, save one whose first entry was
      appended since the store has an index.
    """

    async def messages(
        self, shop: str, query: str, *, before: int | None = None, limit: int = 20
    ) -> list[Hit]:
        """Messages of the shop that have all words of the query, newest first."""
        ...

    async def visitors(self, shop: str, query: str, *, limit: int = 5) -> list[Visitor]:
        """Visitors whose name, address or id has all words, the one seen last first."""
        ...

    async def unindexed(self, *, limit: int = 100) -> list[UUID]:
        """Conversations that still have to be indexed, in the order of their ids."""
        ...

    async def count_unindexed(self) -> int:
        """How many there are."""
        ...

    async def index(self, conversation: UUID, shop: str, head: int, found: Sequence[Found]) -> bool:
        """Find exactly these of a conversation, whose log ends at `head`, and find its visitor.

        False, and nothing is done, when the log has gone on meanwhile: read it once more.
        """
        ...

    async def reset_index(self) -> int:
        """Find nothing, and take every conversation as unindexed; returns how many there are."""
        ...

    async def close(self) -> None: ...


FINAL = ("done", "aborted")
"""The states in which nothing is left to do for a record of the journal."""


class Record(Struct, frozen=True):
    """How far a transaction over several places is.

    `kind` and `state` are at most 32 characters, `payload` at most 64 KiB that storage does not
    look into, `updated_at` Unix milliseconds. `key` is the conversation that it is about. `token`
    is the fencing token of who wrote it, `attempt` counts those who took it over.
    """

    id: UUID
    kind: str
    key: UUID
    state: str
    payload: bytes
    token: int
    attempt: int
    updated_at: int


class Journal(Protocol):
    """The write-ahead records of transactions.

    Invariants, which tests/conformance/journal_suite.py holds every implementation to:
    - a record is on disk when `put` returns it;
    - `put` compares and sets: of many callers that expect the same state exactly one wins;
    - at most one record of a key is not FINAL, and none is written with a token below another one
      of its key: who was overtaken can write nothing;
    - any call may be repeated, and `put` then answers as it did the first time, unless somebody
      else has written since;
    - like the log's, a call may raise StoreBusy, StoreFull or StoreUnavailable.
    """

    async def put(self, record: Record, *, expected: str | None) -> Record:
        """Write the record where its id has the state `expected` (None: where there is none).

        Returns what stands there now: `record`, or what stood in its way, which is the record of
        this id, or else one of this key that is not FINAL or has a higher token. Raises Missing
        when a state is expected of an id that is not there.
        """
        ...

    async def find_record(self, id: UUID) -> Record | None: ...

    async def unfinished(self, *, older_than: int, limit: int = 100) -> list[Record]:
        """Records that are not FINAL and were last written before that time, oldest first."""
        ...

    async def forget(self, *, older_than: int, limit: int = 1_000) -> int:
        """Drop FINAL records that were last written before that time; returns how many."""
        ...

    async def next_epoch(self, name: str) -> int:
        """Count this name on from 0, durably: higher than every epoch given for it before. Numbers
        may be left out."""
        ...

    async def close(self) -> None: ...


BUS = "bus"
"""The outbox's channel of what goes to the bus of this region."""


class Due(Struct, frozen=True):
    """An entry that has not been published, and whom it concerns."""

    id: int
    shop: str
    visitor: UUID
    entry: Entry


class Outbox(Protocol):
    """What was stored and has yet to be published, over one of several channels.

    A fresh entry is put in by the transaction that stores it. Who appended publishes it and
    settles; what a process that died has left behind is due to whoever sweeps.

    Invariants, which tests/conformance/outbox_suite.py holds every implementation to:
    - an entry is in the outbox exactly when it was stored and has not been settled: a resend or a
      conflict puts nothing in;
    - `due` gives each entry to one caller only, which then has CLAIM seconds to settle it;
    - entries of a conversation come in the order of their `seq`;
    - an entry of a conversation that the directory does not know concerns nobody; it is dropped;
    - it is no harm to settle twice, or what is not there; what was settled right before a crash may
      be due again.
    """

    async def due(self, *, older_than: float, limit: int = 100, channel: str = BUS) -> list[Due]:
        """Claim at most `limit` entries that have been waiting for `older_than` seconds."""
        ...

    async def settle(self, entries: Sequence[tuple[UUID, int]], *, channel: str = BUS) -> None:
        """These, by conversation and seq, have been published."""
        ...

    async def waiting(self, *, channel: str = BUS) -> int:
        """How many there are, claimed ones included."""
        ...


CLAIM = 10.0
"""Seconds after which an entry that was claimed from an outbox and not settled is due again."""
