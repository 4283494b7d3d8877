import pytest

from server.api.addresses import Addresses, host_of, is_loopback, peer_is_loopback


def host(text: str) -> object:
    found = host_of({"headers": [(b"accept", b"*/*"), (b"host", text.encode("latin-1"))]})
    return None if found is None else (found.name, found.is_loopback)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:8080", ("localhost", True)),
        ("LOCALHOST", ("localhost", True)),
        ("shop.localhost:1", ("shop.localhost", True)),
        ("127.0.0.1", ("127.0.0.1", True)),
        ("127.8.9.1:80", ("127.8.9.1", True)),
        ("[::1]:8080", ("[::1]", True)),
        ("chat.example:8443", ("chat.example", False)),
        ("localhost.example", ("localhost.example", False)),
        ("10.0.0.1", ("10.0.0.1", False)),
        ("[2001:db8::1]", ("[2001:db8::1]", False)),
        ("", None),
        ("a b", None),
        ("user@host", None),
        ("host/path", None),
        ("host:port", None),
        ("ho;st", None),
        ("h\xf6st", None),
    ],
)
def test_hosts(text: str, expected: object) -> None:
    assert host(text) == expected


def test_a_request_without_a_host() -> None:
    assert host_of({"headers": []}) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback_addresses(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
    assert peer_is_loopback({"client": (address, 1)}) is expected


def test_without_a_peer_nobody_is_local() -> None:
    assert not peer_is_loopback({"client": None})


def addresses(public: str | None = None) -> Addresses:
    made = Addresses(public, lambda: ["hash"])
    made.listening(8443, 8080)
    return made


def test_what_is_said_on_each_listener() -> None:
    found = host_of({"headers": [(b"host", b"localhost:8080")]})
    assert found is not None
    plain = addresses().connect("http", found)
    assert plain.webtransport is not None
    assert plain.webtransport.url == "https://localhost:8443/v1/live"
    assert plain.websocket.url == "ws://localhost:8080/v1/live"
    public = host_of({"headers": [(b"host", b"10.0.0.1:8443")]})
    assert public is not None
    assert addresses().connect("https", public).websocket.url == "wss://10.0.0.1:8443/v1/live"
    named = addresses("https://chat.example/").connect("https", public)
    assert named.websocket.url == "wss://chat.example/v1/live"
    assert "https://chat.example" in addresses("https://chat.example/").home("https", public)
