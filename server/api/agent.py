"""REST for agents: signing in, and a fresh token in time.

May import: api, domain, service.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from quart import Blueprint, request
from quart_schema import tag, validate_request, validate_response

from server.api.addresses import Addresses, Connect
from server.api.errors import Error
from server.api.request import bearer, host
from server.domain.people import Role, who
from server.live.admission import network
from server.service.identity import Granted, Identity
from server.service.passwords import MAX_LENGTH
from storage.base import Agent


class SignIn(Struct, frozen=True):
    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=MAX_LENGTH)]


class AgentOut(Struct, frozen=True):
    id: str
    name: str
    email: str
    role: str
    shop: str


class AgentSession(Struct, frozen=True):
    """`expires_at` in Unix ms."""

    token: str
    expires_at: int
    agent: AgentOut
    connect: Connect


def blueprint(identity: Identity, addresses: Addresses) -> Blueprint:
    """The routes."""
    routes = Blueprint("agent", __name__)

    def answer(agent: Agent, granted: Granted) -> AgentSession:
        out = AgentOut(who(Role.AGENT, agent.id), agent.name, agent.email, agent.role, agent.shop)
        connect = addresses.connect(request.scheme, host())
        return AgentSession(granted.token, granted.expires_at, out, connect)

    @routes.post("/v1/agent/session")
    @validate_request(SignIn)
    @validate_response(AgentSession)
    @validate_response(Error, 401)
    @validate_response(Error, 429)
    @tag(["agent"])
    async def session(data: SignIn) -> AgentSession:
        """Sign in with e-mail and password."""
        address = network(request.remote_addr or "")
        return answer(*await identity.sign_in(data.email, data.password, address))

    @routes.post("/v1/agent/session/refresh")
    @validate_response(AgentSession)
    @validate_response(Error, 401)
    @tag(["agent"])
    async def refresh() -> AgentSession:
        """Exchange a token that is still good for a fresh one."""
        return answer(*await identity.refresh(bearer()))

    return routes
