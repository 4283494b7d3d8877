from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from server.domain import conversation, entries
from server.domain.conversation import RECENT, Fold, apply, dumps, fold, loads
from server.domain.people import Role, who
from storage.base import Entry

CONVERSATION = UUID(int=1)
VISITOR = who(Role.VISITOR, UUID(int=2))
AGENTS = [who(Role.AGENT, UUID(int=n)) for n in (3, 4)]
PEOPLE = [VISITOR, *AGENTS]


def entry(
    seq: int, author: str, body: entries.Body | bytes, kind: str = "", epoch: int = 1
) -> Entry:
    raw = body if isinstance(body, bytes) else entries.encode(body)
    kind = kind or type(body).__name__.lower()
    return Entry(CONVERSATION, epoch, seq, author, UUID(int=seq), kind, raw, 1_000 + seq)


def log_of(*items: tuple[str, entries.Body]) -> list[Entry]:
    return [entry(n, author, body) for n, (author, body) in enumerate(items, 1)]


seqs = st.integers(1, 40)
texts = st.text(max_size=5)
bodies = st.one_of(
    st.builds(entries.Message, texts),
    st.builds(entries.Edit, seqs, texts),
    st.builds(entries.Deletion, seqs),
    st.builds(entries.Note, texts),
    st.builds(entries.Assignment, st.sampled_from([None, *AGENTS])),
    st.builds(entries.Status, st.sampled_from(["open", "closed"])),
    st.builds(entries.Read, seqs),
    st.builds(entries.Rating, st.integers(1, 5), texts),
)
logs = st.lists(st.tuples(st.sampled_from(PEOPLE), bodies), max_size=40).map(
    lambda items: log_of(*items)
)


@given(logs, st.data())
def test_folding_in_any_split_gives_the_same_state(log: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(log)))
    before = fold(Fold(), log[:at])
    assert fold(loads(dumps(before)), log[at:]) == fold(Fold(), log)


@given(logs)
def test_folding_twice_is_folding_once(log: list[Entry]) -> None:
    once = fold(Fold(), log)
    assert fold(once, log) == once


@given(logs)
def test_the_small_fold_agrees_with_a_naive_one(log: list[Entry]) -> None:
    """The reference keeps every message; the fold must say the same about last and unread."""
    messages: dict[int, tuple[str, str]] = {}
    deleted: set[int] = set()
    reads: dict[str, int] = {}
    for item in log:
        body = entries.stored(item.kind, item.body)
        if isinstance(body, entries.Message):
            messages[item.seq] = (item.author, body.text)
        elif isinstance(body, entries.Edit):
            author, _ = messages.get(body.seq, ("", ""))
            if author == item.author and body.seq not in deleted:
                messages[body.seq] = (author, body.text)
        elif isinstance(body, entries.Deletion) and body.seq in messages:
            deleted.add(body.seq)
        elif isinstance(body, entries.Read):
            reads[item.author] = max(body.seq, reads.get(item.author, 0))
    state = fold(Fold(), log)
    assert state.reads == reads
    for person in PEOPLE:
        unread = [
            seq
            for seq, (author, _) in messages.items()
            if author != person and seq > reads.get(person, 0) and seq not in deleted
        ]
        assert state.unread(person) == len(unread)
    if messages:
        seq = max(messages)
        assert state.message is not None
        assert state.message.seq == seq
        assert state.message.text == ("" if seq in deleted else messages[seq][1])
    else:
        assert state.message is None


@given(st.binary(max_size=30), st.sampled_from([*entries.KINDS, "poke"]))
def test_what_cannot_be_read_only_moves_the_position(raw: bytes, kind: str) -> None:
    after = apply(Fold(), entry(1, VISITOR, raw, kind))
    assert after.seq == 1


@given(st.text())
def test_a_text_that_is_no_fold_is_the_empty_one(text: str) -> None:
    assert isinstance(loads(text), Fold)


def test_a_visitors_message_opens_a_closed_conversation_again() -> None:
    closed = log_of((VISITOR, entries.Message("hi")), (AGENTS[0], entries.Status("closed")))
    state = fold(Fold(), closed)
    assert state.status == "closed"
    assert apply(state, entry(3, AGENTS[0], entries.Message("bye"))).status == "closed"
    assert apply(state, entry(3, VISITOR, entries.Message("wait"))).status == "open"


def test_unread_counts_stop_at_their_bound() -> None:
    log = log_of(*[(VISITOR, entries.Message("hi"))] * (RECENT + 50))
    state = fold(Fold(), log)
    assert state.unread(AGENTS[0]) == RECENT
    assert state.unread(VISITOR) == 0
    assert len(dumps(state)) < 2_000


def test_the_last_note_is_for_agents_only() -> None:
    log = log_of((VISITOR, entries.Message("hi")), (AGENTS[0], entries.Note("a regular")))
    state = fold(Fold(), log)
    assert (last := state.last(Role.VISITOR)) is not None
    assert last.text == "hi"
    assert (last := state.last(Role.AGENT)) is not None
    assert last.text == "a regular"


def test_a_newer_epoch_starts_over_and_an_older_one_is_ignored() -> None:
    state = apply(Fold(), entry(7, VISITOR, entries.Message("old"), epoch=1))
    fresh = apply(state, entry(1, VISITOR, entries.Message("new"), epoch=2))
    assert (fresh.epoch, fresh.seq) == (2, 1)
    assert apply(fresh, entry(8, VISITOR, entries.Message("stale"), epoch=1)) == fresh


def test_read_marks_are_bounded() -> None:
    state = Fold()
    for n in range(1, conversation.READERS + 10):
        reader = who(Role.AGENT, UUID(int=n))
        state = apply(state, entry(n, reader, entries.Read(n)))
    assert len(state.reads) == conversation.READERS
    assert min(state.reads.values()) == 10
