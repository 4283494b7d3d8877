"""Which first words of a connection are a session's, without a loop."""

from __future__ import annotations

import pytest

from transport.tcp.head import MAX_HEAD, Head, Verdict, read, refused

PATH = "/v1/live"
FIELDS = (
    b"Host: shop.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
REQUEST = b"GET /v1/live HTTP/1.1\r\n" + FIELDS + b"Origin: https://shop.example\r\n\r\n"


def test_a_handshake() -> None:
    head = read(REQUEST + b"\x82rest", PATH)
    assert isinstance(head, Head)
    assert head.rest == b"\x82rest"
    assert (b"origin", b"https://shop.example") in head.headers
    # The example of RFC 6455 section 1.3.
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head.accepted()
    assert head.accepted().startswith(b"HTTP/1.1 101 ")


def test_its_scope() -> None:
    head = read(REQUEST.replace(b"/v1/live ", b"/v1/live?a=b "), PATH)
    assert isinstance(head, Head)
    scope = head.scope(secure=True, client=("1.2.3.4", 5), server=("::1", 443), state={})
    assert scope["path"] == PATH
    assert scope["query_string"] == b"a=b"
    assert scope["scheme"] == "wss"
    assert scope["client"] == ("1.2.3.4", 5)


def test_every_beginning_asks_for_more() -> None:
    for end in range(len(REQUEST)):
        assert read(REQUEST[:end], PATH) is Verdict.MORE


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"P", id="not a GET"),
        pytest.param(b"GET / HTTP", id="another path"),
        pytest.param(b"PRI * HTTP/2.0", id="HTTP/2"),
        pytest.param(b"\x16\x03\x01", id="TLS inside TLS"),
        pytest.param(REQUEST.replace(b"/v1/live", b"/v1/lively"), id="a longer path"),
        pytest.param(REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(REQUEST.replace(b"Upgrade: websocket\r\n", b""), id="no upgrade"),
        pytest.param(REQUEST.replace(b"keep-alive, Upgrade", b"keep-alive"), id="no connection"),
        pytest.param(REQUEST.replace(b"Version: 13", b"Version: 8"), id="another version"),
        pytest.param(REQUEST.replace(b"dGhl", b"!!!!"), id="no base64"),
        pytest.param(REQUEST.replace(b"c2FtcGxl", b"").replace(b"dGhlIHNh", b""), id="short key"),
        pytest.param(REQUEST.replace(b"Host: shop.example\r\n", b""), id="no host"),
        pytest.param(REQUEST[:-2] + b"Content-Length: 3\r\n\r\nabc", id="a body"),
        pytest.param(REQUEST[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", id="chunks"),
        pytest.param(REQUEST[:-2] + b"bad field\r\n\r\n", id="a broken field"),
        pytest.param(REQUEST[:-2] + b"Sec-WebSocket-Key: eA==\r\n\r\n", id="two keys"),
        pytest.param(b"GET /v1/live HTTP/1.1\r\nx: " + b"y" * MAX_HEAD, id="no end in sight"),
    ],
)
def test_everything_else_is_for_the_http_server(data: bytes) -> None:
    assert read(data, PATH) is Verdict.OTHER


def test_a_refusal() -> None:
    answer = refused(403, "The origin ä may not.", 0.0)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n")
    assert b"content-length: %d" % len(body) in head
    assert body.decode() == "The origin ä may not."
