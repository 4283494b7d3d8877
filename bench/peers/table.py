"""The peers by name.

May import: every adapter.
"""

from __future__ import annotations

from bench.peers import tradewind
from bench.peers.base import Peer, PeerError
from bench.peers.centrifugo import Centrifugo
from bench.peers.plain import Plain
from bench.peers.socketio import SocketIO

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        tradewind.HEDGED,
        tradewind.STREAM,
        tradewind.WEBSOCKET_H3,
        tradewind.TCP_BBR,
        tradewind.TCP_CUBIC,
        Plain("bbr"),
        Plain("cubic"),
        SocketIO("bbr"),
        SocketIO("cubic"),
        Centrifugo(),
    )
}


def peer(name: str) -> Peer:
    """The peer of a name. Raises PeerError."""
    try:
        return PEERS[name]
    except KeyError:
        raise PeerError(f"no peer “{name}”: choose from {', '.join(PEERS)}") from None
