"""Tickets that several workers share: any takes any, and all together each once."""

from __future__ import annotations

import datetime as dt
import os

import msgspec
import pytest
from aioquic.tls import CipherSuite, SessionTicket

from transport.quic.shared_tickets import SharedTickets


def ticket(server_name: str | None = "shop.example") -> SessionTicket:
    now = dt.datetime.now(dt.UTC)
    return SessionTicket(
        age_add=2**32 - 1,
        cipher_suite=CipherSuite.AES_256_GCM_SHA384,
        not_valid_after=now + dt.timedelta(days=1),
        not_valid_before=now,
        resumption_secret=os.urandom(48),
        server_name=server_name,  # type: ignore[arg-type]  # aioquic leaves it out without SNI
        ticket=os.urandom(64),
        max_early_data_size=2**32 - 1,
        other_extensions=[(1, b"x")],
    )


class Workers:
    """Three, whose news waits until it is carried round."""

    def __init__(self) -> None:
        self.news: list[bytes] = []
        self.all = [SharedTickets(self.news.append) for _ in range(3)]

    def carry(self) -> None:
        while self.news:
            news = self.news.pop(0)
            for worker in self.all:
                worker.heard(news)


@pytest.mark.parametrize("server_name", ["shop.example", None])
def test_any_worker_takes_what_another_made(server_name: str | None) -> None:
    workers, made = Workers(), ticket(server_name)
    workers.all[0].put(made)
    assert workers.all[1].take(made.ticket) is None
    workers.carry()
    assert workers.all[1].take(made.ticket) == made


@pytest.mark.parametrize("at", [0, 1])
def test_what_was_taken_is_gone_everywhere(at: int) -> None:
    workers, made = Workers(), ticket()
    workers.all[0].put(made)
    workers.carry()
    assert workers.all[at].take(made.ticket) is not None
    assert workers.all[at].take(made.ticket) is None
    workers.carry()
    assert [worker.take(made.ticket) for worker in workers.all] == [None] * 3


def test_what_was_taken_before_its_making_came_round_stays_taken() -> None:
    workers, made = Workers(), ticket()
    workers.all[0].put(made)
    assert workers.all[0].take(made.ticket) is not None
    workers.all[0].heard(workers.news[0])
    assert workers.all[0].take(made.ticket) is None


def test_news_of_nobody() -> None:
    with pytest.raises(msgspec.MsgspecError):
        Workers().all[0].heard(b"\xc1")
