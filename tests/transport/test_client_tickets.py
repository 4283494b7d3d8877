"""What a client remembers of servers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from aioquic.tls import CipherSuite, SessionTicket

from transport.client.tickets import MAX_FILE, MAX_SERVERS, PER_SERVER, Remembered, TicketCache

HOST, PORT = "chat.example", 8443


def remembered(name: str, days: float = 1) -> Remembered:
    now = dt.datetime.now(dt.UTC)
    ticket = SessionTicket(
        age_add=1,
        cipher_suite=CipherSuite.AES_256_GCM_SHA384,
        not_valid_after=now + dt.timedelta(days=days),
        not_valid_before=now - dt.timedelta(days=2),
        resumption_secret=b"secret",
        server_name=HOST,
        ticket=name.encode(),
        max_early_data_size=0xFFFFFFFF,
        other_extensions=[(57, b"parameters")],
    )
    return Remembered(ticket, (2, "192.0.2.1", 8443))


def test_the_newest_first_and_each_once() -> None:
    cache = TicketCache()
    one, two = remembered("one"), remembered("two")
    cache.put(HOST, PORT, one)
    cache.put(HOST, PORT, two)
    assert cache.take(HOST, 1) is None
    assert [cache.take(HOST, PORT) for _ in range(3)] == [two, one, None]
    assert not cache.has(HOST, PORT)


def test_expired_ones_are_not_given_out() -> None:
    cache = TicketCache()
    good = remembered("good")
    cache.put(HOST, PORT, good)
    cache.put(HOST, PORT, remembered("expired", days=-1))
    assert cache.take(HOST, PORT) == good


def test_bounds() -> None:
    cache = TicketCache()
    for number in range(PER_SERVER + 2):
        cache.put(HOST, PORT, remembered(str(number)))
    for port in range(MAX_SERVERS - 1):
        cache.put_token("other.example", port, b"token")
    names = []
    while (taken := cache.take(HOST, PORT)) is not None:
        names.append(taken.ticket.ticket)
    assert names == [b"5", b"4", b"3", b"2"]
    cache.put_token(HOST, PORT, b"mine")
    cache.put_token("one.more", 1, b"token")
    assert cache.token("other.example", 0) == b""
    assert cache.token(HOST, PORT) == b"mine"


def test_a_file_keeps_them_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "tickets"
    cache = TicketCache(path)
    cache.put(HOST, PORT, remembered("one"))
    cache.put_token(HOST, PORT, b"token")
    assert path.stat().st_mode & 0o777 == 0o600
    again = TicketCache(path)
    assert again.token(HOST, PORT) == b"token"
    taken = again.take(HOST, PORT)
    assert taken is not None
    assert taken.ticket.resumption_secret == b"secret"
    assert taken.ticket.other_extensions[0][1] == b"parameters"
    assert taken.address == (2, "192.0.2.1", 8443)
    assert TicketCache(path).take(HOST, PORT) is None
    assert [file.name for file in tmp_path.iterdir()] == ["tickets"]


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"\x81\xa7servers\x91\x01", bytes(MAX_FILE + 1)]
)
def test_a_file_that_cannot_be_read_is_as_good_as_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tickets"
    path.write_bytes(content)
    cache = TicketCache(path)
    assert not cache.has(HOST, PORT)
    cache.put(HOST, PORT, remembered("one"))
    assert TicketCache(path).has(HOST, PORT)


def test_a_file_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    cache = TicketCache(tmp_path / "nowhere" / "tickets")
    cache.put(HOST, PORT, remembered("one"))
    assert cache.take(HOST, PORT) is not None
