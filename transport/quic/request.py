"""The head of a request on HTTP/3, checked so that nothing behind it meets what it cannot decode.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from hypercorn.utils import filter_pseudo_headers
from msgspec import Struct

Headers = list[tuple[bytes, bytes]]


class MalformedRequest(Exception):
    """A head that RFC 9114 section 4.3.1 calls malformed."""


class Head(Struct, frozen=True):
    """`headers` has `host` in the place of `:authority` and no pseudo-headers; `path` is raw."""

    method: str
    path: bytes
    protocol: str | None
    headers: Headers

    @property
    def content_length(self) -> int | None:
        """What the client announced. aioquic has checked that it is a number."""
        for name, value in self.headers:
            if name == b"content-length":
                return int(value)
        return None


def read_head(headers: Headers) -> Head:
    """Sort the headers of a request. Raises MalformedRequest."""
    pseudo = {name: value for name, value in headers if name.startswith(b":")}
    try:
        method = pseudo[b":method"].decode("ascii").upper()
        protocol = pseudo[b":protocol"].decode("ascii") if b":protocol" in pseudo else None
        path = pseudo.get(b":path", b"")
        path.decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedRequest("a pseudo-header is not ASCII") from error
    pathless = (method == "CONNECT" and protocol is None) or (method, path) == ("OPTIONS", b"*")
    if not pathless and not path.startswith(b"/"):
        raise MalformedRequest("no path")
    return Head(method, path, protocol, _join_cookies(filter_pseudo_headers(headers)))


def _join_cookies(headers: Headers) -> Headers:
    """A client may split its cookies to compress them better (RFC 9114 section 4.2.1)."""
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) < 2:
        return headers
    others = [(name, value) for name, value in headers if name != b"cookie"]
    return [*others, (b"cookie", b"; ".join(cookies))]
