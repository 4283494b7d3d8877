"""What the routes ask of the request at hand.

May import: addresses.
"""

from __future__ import annotations

from quart import request

from server.api.addresses import Addresses, Host, host_of
from server.domain.refusal import Code, Refusal
from server.service.identity import Unauthenticated


def host() -> Host:
    """The host that the request names. Raises Refusal when it names none."""
    found = host_of(request.scope)
    if found is None:
        raise Refusal(Code.INVALID, "the request names no usable host")
    return found


def here(addresses: Addresses) -> frozenset[str]:
    """The origins of our own pages, as this request knows them."""
    return addresses.home(request.scheme, host())


def bearer() -> str:
    """The token in `Authorization: Bearer …`. Raises Unauthenticated when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send Authorization: Bearer with a token")
    return token.strip()
