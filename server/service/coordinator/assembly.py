"""Puts the coordinator together, for the composition root and for tests.

May import: everything of this package; service; storage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from server.service.chat import Chat
from server.service.conversations import Conversations
from server.service.coordinator.assignment import Assignments, participants
from server.service.coordinator.base import Participant
from server.service.coordinator.change import KIND
from server.service.coordinator.coordinator import PATIENCE, STALE, Coordinator
from server.service.coordinator.load import Load
from server.service.coordinator.locks import Holding
from server.service.coordinator.places import Places
from storage.base import Directory, Journal

NOTHING_ELSE: Mapping[str, Sequence[Participant]] = {}


def assemble(
    chat: Chat,
    conversations: Conversations,
    directory: Directory,
    journal: Journal,
    locks: Holding,
    load: Load,
    *,
    now: Callable[[], int],
    kinds: Mapping[str, Sequence[Participant]] = NOTHING_ELSE,
    patience: float = PATIENCE,
    stale: float = STALE,
) -> Coordinator:
    """A coordinator that `chat` asks from now on. Its `watch` must run for as long as it is used.

    `kinds` are transactions besides those of change.py.
    """
    places = Places(load, journal, directory, conversations)
    conversations.taken = places.taken
    taking_part = participants(chat.append, conversations, places)
    coordinator = Coordinator(
        journal, locks, {KIND: taking_part, **kinds}, now=now, patience=patience, stale=stale
    )
    chat.detour = Assignments(coordinator, directory, conversations, chat.append).take
    return coordinator
