"""How many sessions are let in, in all and per address.

What holds always: `enter` and `leave` come in pairs; what is counted per address is forgotten with
its last session; of IPv6 the first 64 bits count as one address, because that is what one customer
has.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import ipaddress
from collections import Counter


class Admission:
    """Counts sessions."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._by_address: Counter[str] = Counter()
        self.sessions = 0

    def enter(self, address: str) -> bool:
        """Let one in, or say that there is no room. Who was let in must `leave`."""
        key = network(address)
        if self.sessions >= self._most or self._by_address[key] >= self._most_per_address:
            return False
        self.sessions += 1
        self._by_address[key] += 1
        return True

    def leave(self, address: str) -> None:
        """One that was let in has gone."""
        key = network(address)
        self.sessions -= 1
        self._by_address[key] -= 1
        if not self._by_address[key]:
            del self._by_address[key]


def network(address: str) -> str:
    """The address to count by: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip.packed[:8] + bytes(8), 64)).network_address)
    return str(ip)
