"""Where clients find us: derived from the request, unless the operator said it once and for all.

What holds always: a Host that is not a host name is refused before anything is made of it; over
plain HTTP only loopback is served, by name and by peer, so a page that rebinds its DNS name to
127.0.0.1 gets nothing but a redirect.
May import: domain.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from transport.accept import LIVE_PATH

HEAD_START = 300
"""Milliseconds that WebTransport gets before a client tries a WebSocket beside it."""
MAX_HOMES = 256
"""Names we are called by that are remembered. Any client can make one up."""
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:(?P<port>\d{1,5}))?")


class WebTransportAddress(Struct, frozen=True):
    """`certificate_hashes` is empty where browsers trust the certificate by themselves."""

    url: str
    certificate_hashes: list[str]


class WebSocketAddress(Struct, frozen=True):
    url: str


class Connect(Struct, frozen=True):
    """CONNECT of docs/protocol.md, section 12."""

    version: int
    head_start: int
    webtransport: WebTransportAddress | None
    websocket: WebSocketAddress


class Host(Struct, frozen=True):
    """The Host header, taken apart."""

    name: str
    text: str

    @property
    def is_loopback(self) -> bool:
        return (
            self.name == "localhost"
            or self.name.endswith(".localhost")
            or is_loopback(self.name.strip("[]"))
        )


class Addresses:
    """Knows our ports; `listening` tells it once they are open."""

    def __init__(self, public_url: str | None, hashes: Callable[[], list[str]]) -> None:
        self._public = None if public_url is None else public_url.rstrip("/")
        self._hashes = hashes
        self.port = 0
        self.plain_port: int | None = None
        self._homes: dict[tuple[str, Host], frozenset[str]] = {}

    def listening(self, port: int, plain_port: int | None) -> None:
        """These are the ports."""
        self.port = port
        self.plain_port = plain_port
        self._homes.clear()

    def connect(self, scheme: str, host: Host) -> Connect:
        """How the sender of this request connects."""
        base = self.base(scheme, host)
        secure = self.secure_base(scheme, host)
        return Connect(
            1,
            HEAD_START,
            WebTransportAddress(secure + LIVE_PATH, self._hashes()),
            WebSocketAddress(base.replace("http", "ws", 1) + LIVE_PATH),
        )

    def base(self, scheme: str, host: Host) -> str:
        """Our own URL as the sender of this request knows it, without a path."""
        if is_plain(scheme):
            return f"http://{host.text}"
        return self._public or f"https://{host.text}"

    def secure_base(self, scheme: str, host: Host) -> str:
        """The same over TLS."""
        if not is_plain(scheme):
            return self.base(scheme, host)
        return f"https://{host.name}:{self.port}"

    def home(self, scheme: str, host: Host) -> frozenset[str]:
        """The origins of our own pages: one set for all who name us alike, as sessions keep it."""
        home = self._homes.get((scheme, host))
        if home is None:
            home = self._home(scheme, host)
            if len(self._homes) < MAX_HOMES:
                self._homes[scheme, host] = home
        return home

    def _home(self, scheme: str, host: Host) -> frozenset[str]:
        own = {self.base(scheme, host), self.secure_base(scheme, host)}
        if self._public is not None:
            parts = urlsplit(self._public)
            own.add(f"{parts.scheme}://{parts.netloc}")
        if self.plain_port is not None:
            names = ("localhost", "127.0.0.1", "[::1]")
            own |= {f"http://{name}:{self.plain_port}" for name in names}
        return frozenset(own)


def host_of(scope: Mapping[str, Any]) -> Host | None:
    """The host a request names, or None when it names none that could be one."""
    for name, value in scope["headers"]:
        if name.lower() in (b"host", b":authority"):
            match = _HOST.fullmatch(value.decode("latin-1"))
            return None if match is None else Host(match["name"].lower(), match[0].lower())
    return None


def is_plain(scheme: str) -> bool:
    """Whether a scope came without TLS."""
    return scheme in ("http", "ws")


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return ip.is_loopback or (mapped is not None and mapped.is_loopback)


def peer_is_loopback(scope: Mapping[str, Any]) -> bool:
    """Whether a request comes from this machine."""
    client = scope.get("client")
    return client is not None and is_loopback(str(client[0]))
