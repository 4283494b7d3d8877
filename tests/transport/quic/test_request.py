from __future__ import annotations

import pytest

from transport.quic.request import Headers, MalformedRequest, read_head

GET: Headers = [(b":method", b"get"), (b":scheme", b"https"), (b":authority", b"shop.test")]


def test_head_of_a_request() -> None:
    head = read_head([*GET, (b":path", b"/a?b=c"), (b"content-length", b"12")])
    assert (head.method, head.path, head.protocol) == ("GET", b"/a?b=c", None)
    assert head.headers == [(b"host", b"shop.test"), (b"content-length", b"12")]
    assert head.content_length == 12


def test_split_cookies_are_joined() -> None:
    split = [(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")]
    head = read_head([*GET, (b":path", b"/"), *split])
    assert head.headers[1:] == [(b"x", b"y"), (b"cookie", b"a=1; b=2")]


def test_extended_connect() -> None:
    connect = [(b":method", b"CONNECT"), (b":protocol", b"webtransport"), (b":path", b"/v1/live")]
    assert read_head(connect).protocol == "webtransport"


@pytest.mark.parametrize(
    "headers",
    [
        GET,
        [*GET, (b":path", b"relative")],
        [*GET, (b":path", b"/\xff")],
        [(b":method", b"\xff"), (b":path", b"/")],
        [(b":method", b"CONNECT"), (b":protocol", b"\xff"), (b":path", b"/")],
        [(b":method", b"CONNECT"), (b":protocol", b"websocket")],
    ],
)
def test_malformed(headers: Headers) -> None:
    with pytest.raises(MalformedRequest):
        read_head(headers)
