"""Small things in the place of aioquic's large ones, for 100,000 connections that mostly idle.

What holds always: what is shared by all connections is dead: no packet and no key gets into it.
May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair, NoCallback
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.tls import AlertUnexpectedMessage, Context, Epoch


class FrameHandlers:
    """aioquic's table of frame handlers, without the 10 KiB it takes on every connection."""

    __slots__ = ("owner",)

    names: ClassVar[dict[int, tuple[str, frozenset[Epoch]]]] = {}

    def __init__(self, owner: QuicConnection, made: Mapping[int, tuple[Any, Any]]) -> None:
        self.owner = owner
        if not self.names:
            self.names.update({k: (do.__name__, epochs) for k, (do, epochs) in made.items()})

    def __getitem__(self, kind: int) -> tuple[Any, frozenset[Epoch]]:
        name, epochs = self.names[kind]
        return getattr(self.owner, name), epochs


class Few(list[Any]):
    """A queue of a few: an empty deque takes 760 bytes, and most connections idle."""

    __slots__ = ()

    def popleft(self) -> Any:
        return self.pop(0)


class FinishedTls:
    """What a server's connection still asks of TLS after the handshake."""

    __slots__ = ("alpn_negotiated", "early_data_accepted", "session_resumed", "state")

    def __init__(self, tls: Context) -> None:
        self.alpn_negotiated = tls.alpn_negotiated
        self.early_data_accepted = tls.early_data_accepted
        self.session_resumed = tls.session_resumed
        self.state = tls.state

    def handle_message(self, data: bytes, _: Any) -> None:
        raise AlertUnexpectedMessage("nothing is left to say")


def silence(keys: CryptoPair) -> None:
    """Let keys tell a trace no more that they are set up and retired: eight callbacks of each
    connection, all of which refer back to it."""
    for context in (keys.recv, keys.send):
        context._setup_cb = context._teardown_cb = NoCallback


class _Heard:
    """The receiving half of a stream of which everything was heard."""

    def starting_offset(self) -> int:
        return 0

    def handle_frame(self, _: Any) -> None:
        return None


class _HeardStream:
    receiver = _Heard()


HEARD: Any = _HeardStream()
"""The stream of a handshake that is over. The packet that ends it may say the last words twice."""
DEAD_KEYS = CryptoPair()
"""Keys that are gone: a packet that needs them is dropped. One pair for all connections."""
DEAD_SPACE = QuicPacketSpace()
"""A packet number space that is over. One for all connections: nothing enters it any more."""
DEAD_SPACE.discarded = True
