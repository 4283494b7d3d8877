"""A server that asks for certificates, and what it knows of who shows one."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.transport.links.support import Deployment
from transport.links.credentials import Credentials
from transport.quic.aio.connection import Connection


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Deployment(tmp_path).credentials("eu")


def talk(client: Connection, server: Connection) -> None:
    """Carry packets until neither has more to say."""
    now = 0.0
    for _ in range(10):
        now += 0.01
        for data, _ in client.datagrams_to_send(now):
            server.receive_datagram(data, ("client", 1), now)
        for data, _ in server.datagrams_to_send(now):
            client.receive_datagram(data, ("server", 1), now)


def meet(
    credentials: Credentials, *, asks: bool = True, shows: bool = True
) -> tuple[Connection, Connection]:
    """A client and a server after their handshake."""
    ours, theirs = credentials.settings(is_client=True), credentials.settings(is_client=False)
    if not asks:
        theirs.verify_mode = ssl.CERT_NONE
    if not shows:
        ours.certificate = ours.private_key = None
    client = Connection(ours)
    client.connect(("server", 1), 0.0)
    server = Connection(theirs, client.original_destination_connection_id)
    talk(client, server)
    assert client.handshake_complete
    assert server.handshake_complete
    return client, server


def test_both_know_what_the_other_has_shown(credentials: Credentials) -> None:
    client, server = meet(credentials)
    assert client.shown == server.shown == (credentials.certificate,)


def test_a_client_may_show_nothing_and_is_known_to(credentials: Credentials) -> None:
    _, server = meet(credentials, shows=False)
    assert server.shown == ()


def test_who_is_not_asked_shows_nothing(credentials: Credentials) -> None:
    client, server = meet(credentials, asks=False)
    assert server.shown == ()
    assert client.shown == (credentials.certificate,)


def test_the_key_has_to_be_there(credentials: Credentials, tmp_path: Path) -> None:
    """A certificate is public: whoever shows one without its key is refused by TLS itself."""
    stranger = Deployment(tmp_path / "other").credentials("eu")
    settings = credentials.settings(is_client=True)
    settings.private_key = stranger.settings(is_client=True).private_key
    client = Connection(settings)
    client.connect(("server", 1), 0.0)
    server = Connection(
        credentials.settings(is_client=False), client.original_destination_connection_id
    )
    talk(client, server)
    assert not server.handshake_complete
    assert server.end is not None
    assert server.end[0] == 0x100 + 51, "decrypt_error (RFC 8446 section 4.4.3)"
