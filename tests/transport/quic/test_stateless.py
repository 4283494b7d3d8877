"""Address tokens, resets and tickets: what a server says without keeping state."""

from __future__ import annotations

import datetime as dt

import pytest
from aioquic._buffer import Buffer
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from aioquic.tls import CipherSuite, SessionTicket
from hypothesis import given
from hypothesis import strategies as st

from transport.quic import packet, tickets
from transport.quic.stateless import (
    MAX_RESET,
    MIN_RESET,
    RESETS_PER_SECOND,
    Stateless,
    origin,
    token_of,
)
from transport.quic.tickets import MemoryTickets
from transport.quic.tokens import LATER_LIFETIME, RETRY_LIFETIME, AddressTokens, Kind

SECRET = b"s" * 32
HERE, THERE = ("192.0.2.1", 1000), ("192.0.2.2", 1000)
ORIGINAL, SOURCE = b"original", b"retry-id"


@pytest.fixture
def tokens() -> AddressTokens:
    return AddressTokens(SECRET)


def test_a_retry_token_says_where_it_began(tokens: AddressTokens) -> None:
    data = tokens.for_retry(HERE, ORIGINAL, SOURCE, 100.0)
    other_worker = AddressTokens(SECRET)
    token = other_worker.check(data, HERE, SOURCE, 100.0 + RETRY_LIFETIME)
    assert token is not None
    header = packet.Header(SOURCE, b"", 1, True)
    assert origin(token, header) == (ORIGINAL, SOURCE)
    assert origin(None, header) == (SOURCE, None)


def test_a_retry_token_is_for_one_address_one_attempt_and_a_while(tokens: AddressTokens) -> None:
    data = tokens.for_retry(HERE, ORIGINAL, SOURCE, 100.0)
    assert tokens.check(data, THERE, SOURCE, 100.0) is None
    assert tokens.check(data, (HERE[0], 1001), SOURCE, 100.0) is None
    assert tokens.check(data, HERE, b"other-id", 100.0) is None
    assert tokens.check(data, HERE, SOURCE, 100.1 + RETRY_LIFETIME) is None
    assert tokens.check(data, HERE, SOURCE, 90.0) is None  # from the future
    assert AddressTokens(b"another secret").check(data, HERE, SOURCE, 100.0) is None


def test_a_token_for_later_is_for_the_address_on_any_port(tokens: AddressTokens) -> None:
    data = tokens.for_later(HERE, 100.0)
    token = tokens.check(data, (HERE[0], 5), b"whatever", 100.0 + LATER_LIFETIME)
    assert token is not None
    assert token.kind is Kind.LATER
    assert origin(token, packet.Header(SOURCE, b"", 1, True)) == (SOURCE, None)
    assert tokens.check(data, THERE, b"whatever", 100.0) is None
    assert tokens.check(data, HERE, b"whatever", 100.1 + LATER_LIFETIME) is None


@given(st.binary(max_size=250))
def test_rubbish_is_no_token(data: bytes) -> None:
    assert AddressTokens(SECRET).check(data, HERE, SOURCE, 0.0) is None


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_changed_token_is_no_token(at: int, change: int) -> None:
    data = bytearray(AddressTokens(SECRET).for_retry(HERE, ORIGINAL, SOURCE, 0.0))
    data[at] ^= change
    assert AddressTokens(SECRET).check(bytes(data), HERE, SOURCE, 0.0) is None


def test_a_retry_is_one() -> None:
    stateless = Stateless(SECRET)
    header = packet.Header(ORIGINAL, b"client", 1, True)
    reply = stateless.retry(header, HERE, 0.0, 100.0)
    assert reply is not None
    got = pull_quic_header(Buffer(data=reply))
    assert got.packet_type is QuicPacketType.RETRY
    assert got.destination_cid == b"client"
    assert stateless.tokens.check(got.token, HERE, got.source_cid, 100.0) is not None


@given(st.binary(max_size=100))
def test_looking_for_a_token_never_raises(data: bytes) -> None:
    token_of(data)


@given(st.binary(min_size=9, max_size=1300))
def test_a_reset_is_shorter_than_its_cause(data: bytes) -> None:
    data = bytes((0x40 | data[0] & 0x3F,)) + data[1:]
    stateless = Stateless(SECRET)
    reply = stateless.reset(data, 0.0)
    if reply is None:
        assert len(data) <= MIN_RESET
    else:
        assert MIN_RESET <= len(reply) <= min(MAX_RESET, len(data) - 1)
        assert reply[0] & 0xC0 == 0x40
        assert reply[-16:] == Stateless(SECRET).reset_token(data[1:9])


def test_two_servers_do_not_reset_each_other_for_ever() -> None:
    one, other = Stateless(SECRET), Stateless(b"other")
    data: bytes | None = bytes((0x40,)) + bytes(1199)
    for turn in range(MAX_RESET):
        data = (one, other)[turn % 2].reset(data, 0.0) if data is not None else None
    assert data is None


def test_resets_and_version_negotiations_have_a_rate() -> None:
    stateless = Stateless(SECRET)
    cause = bytes((0x40,)) + bytes(99)
    given = sum(stateless.reset(cause, 5.0) is not None for _ in range(1000))
    assert given == RESETS_PER_SECOND
    assert stateless.reset(cause, 5.0) is None
    assert stateless.reset(cause, 5.1) is not None
    header = packet.Header(ORIGINAL, b"client", 0x1A2A3A4A)
    given = sum(stateless.negotiation(header, 1200, 5.0) is not None for _ in range(1000))
    assert given == 200


def ticket(name: bytes) -> SessionTicket:
    now = dt.datetime.now(dt.UTC)
    cipher = CipherSuite.AES_128_GCM_SHA256
    return SessionTicket(1, cipher, now + dt.timedelta(days=1), now, b"secret", "host", name)


def test_a_ticket_is_taken_once() -> None:
    kept = MemoryTickets()
    kept.put(ticket(b"one"))
    assert kept.take(b"two") is None
    taken = kept.take(b"one")
    assert taken is not None
    assert taken.ticket == b"one"
    assert kept.take(b"one") is None


def test_a_ticket_does_not_live_for_ever() -> None:
    now = 0.0
    kept = MemoryTickets(lambda: now)
    kept.put(ticket(b"one"))
    kept.put(ticket(b"two"))
    now = tickets.LIFETIME
    assert kept.take(b"one") is not None
    now += 1
    assert kept.take(b"two") is None
    assert len(kept) == 0


def test_over_the_bound_the_oldest_ticket_goes() -> None:
    kept = MemoryTickets(bound=2)
    for name in (b"one", b"two", b"three"):
        kept.put(ticket(name))
    assert kept.take(b"one") is None
    assert kept.take(b"two") is not None
    assert kept.take(b"three") is not None
