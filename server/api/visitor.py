"""REST for visitors: a session, and where to connect.

May import: api, domain, service.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from quart import Blueprint, request
from quart_schema import tag, validate_request, validate_response

from server.api.addresses import Addresses, Connect
from server.api.errors import Error
from server.api.request import here, host
from server.domain.refusal import Code, Refusal
from server.live.admission import network
from server.service.desk import shop_map
from server.service.identity import Arrival, Identity
from server.service.shops import Shops
from server.service.tokens import MAX_TOKEN

Token = Annotated[str, Meta(max_length=MAX_TOKEN)]


class VisitorRequest(Struct, frozen=True):
    """`token` is the visitor's former one, `identity` a JWT signed by the shop."""

    shop: Annotated[str, Meta(max_length=64)]
    token: Token | None = None
    identity: Token | None = None
    language: Annotated[str, Meta(max_length=100)] | None = None
    page: Annotated[str, Meta(max_length=4_000)] | None = None


class ShopOut(Struct, frozen=True):
    id: str
    name: str
    settings: dict[str, Any]


class VisitorSession(Struct, frozen=True):
    """`expires_at` in Unix ms."""

    token: str
    expires_at: int
    visitor: str
    shop: ShopOut
    connect: Connect


def blueprint(identity: Identity, shops: Shops, addresses: Addresses) -> Blueprint:
    """The routes."""
    routes = Blueprint("visitor", __name__)

    @routes.post("/v1/visitor/session")
    @validate_request(VisitorRequest)
    @validate_response(VisitorSession)
    @validate_response(Error, 401)
    @validate_response(Error, 403)
    @validate_response(Error, 404)
    @tag(["visitor"])
    async def session(data: VisitorRequest) -> VisitorSession:
        """Start or renew a visitor's session.

        Without a token and an identity a new, anonymous visitor comes into being.
        """
        shop = await shops.get(data.shop)
        if shop is None:
            raise Refusal(Code.NOT_FOUND, f"there is no shop called “{data.shop}”")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in {*shop.origins, *here(addresses)}:
            raise Refusal(
                Code.FORBIDDEN, f"{origin} is not one of the shop's origins; add it to the shop"
            )
        arrival = Arrival(data.shop, data.token, data.identity, data.language, data.page)
        granted = await identity.arrive(shop, arrival, network(request.remote_addr or ""))
        return VisitorSession(
            granted.token,
            granted.expires_at,
            granted.caller.who,
            ShopOut(**shop_map(shop)),
            addresses.connect(request.scheme, host()),
        )

    @routes.get("/v1/connect")
    @validate_response(Connect)
    @tag(["visitor"])
    async def connect() -> Connect:
        """Say where and how to connect."""
        return addresses.connect(request.scheme, host())

    @routes.route("/v1/visitor/session", methods=["OPTIONS"])
    @routes.route("/v1/connect", methods=["OPTIONS"])
    async def preflight() -> tuple[str, int]:
        """Answer the browser's question before it sends; the headers say the rest."""
        return "", 204

    return routes
