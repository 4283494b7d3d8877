"""Address translation on real packets: the checksums stay right."""

from __future__ import annotations

import socket
import struct

import pytest

from bench.network import nat as nat_module
from bench.network import packet as ip
from bench.network.nat import Nat

CLIENT, SERVER, OUTSIDE = (socket.inet_aton(a) for a in ("10.0.0.2", "10.0.1.2", "10.0.0.9"))


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(protocol: int, source: tuple[bytes, int], to: tuple[bytes, int], data: bytes) -> bytes:
    """An IPv4 packet with right checksums."""
    if protocol == ip.UDP:
        head = struct.pack("!4H", source[1], to[1], 8 + len(data), 0)
    else:
        head = struct.pack("!2H2I4H", source[1], to[1], 7, 9, 0x5010, 1000, 0, 0)
    pseudo = source[0] + to[0] + struct.pack("!2H", protocol, len(head) + len(data))
    at = {ip.UDP: 6, ip.TCP: 16}[protocol]
    head = head[:at] + struct.pack("!H", checksum(pseudo + head + data)) + head[at + 2 :]
    total = 20 + len(head) + len(data)
    begin = struct.pack("!2B3H2BH", 0x45, 0, total, 1, 0, 64, protocol, 0) + source[0] + to[0]
    begin = begin[:10] + struct.pack("!H", checksum(begin)) + begin[12:]
    return begin + head + data


def is_right(data: bytes) -> bool:
    body = data[20:]
    pseudo = data[12:20] + struct.pack("!2H", data[9], len(body))
    return checksum(data[:20]) == 0 and checksum(pseudo + body) == 0


@pytest.mark.parametrize("protocol", [ip.UDP, ip.TCP])
def test_there_and_back(protocol: int) -> None:
    nat = Nat()
    sent = packet(protocol, (CLIENT, 4000), (SERVER, 8443), b"hello there")
    assert is_right(sent)
    assert nat.out(sent) == sent
    nat.rebind(OUTSIDE)
    seen = nat.out(sent)
    assert seen[12:16] == OUTSIDE
    assert is_right(seen)
    port = int.from_bytes(seen[20:22], "big")
    assert port != 4000
    assert nat.out(sent) == seen
    answer = packet(protocol, (SERVER, 8443), (OUTSIDE, port), b"and back again!")
    back = nat.back(answer)
    assert back is not None
    assert back[16:20] == CLIENT
    assert back[22:24] == (4000).to_bytes(2, "big")
    assert is_right(back)


def test_what_is_sent_to_a_forgotten_binding_is_lost() -> None:
    nat = Nat()
    answer = packet(ip.UDP, (SERVER, 8443), (CLIENT, 4000), b"late")
    assert nat.back(answer) == answer
    nat.rebind(OUTSIDE)
    assert nat.back(answer) is None


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nat_module, "PORTS", 3)
    nat = Nat()
    nat.rebind(OUTSIDE)
    seen = [nat.out(packet(ip.UDP, (CLIENT, n), (SERVER, 1), b"")) for n in range(1, 5)]
    ports = [int.from_bytes(each[20:22], "big") for each in seen]
    assert ports[3] == ports[0]
    back = nat.back(packet(ip.UDP, (SERVER, 1), (OUTSIDE, ports[0]), b""))
    assert back is not None
    assert back[22:24] == (4).to_bytes(2, "big")
