"""For operators and their machines: alive, ready, counted.

What holds always: `readyz` says yes only after the log and the directory have answered just now.
May import: api; storage.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST
from quart import Blueprint, Response, request
from quart_schema import hide, tag, validate_response

from server.api.addresses import peer_is_loopback
from server.api.errors import Error
from server.api.request import bearer
from server.domain.refusal import Code, Refusal
from storage.base import Directory, MessageLog, StorageError

READY_TIMEOUT = 2.0
"""Seconds that the store may take to answer before we are not ready."""
_NOBODY = UUID(int=0)


class Status(Struct, frozen=True):
    status: str


class DemoLogin(Struct, frozen=True):
    """The demo's agent, and its shop."""

    email: str
    password: str
    shop: str


def blueprint(
    messages: MessageLog,
    directory: Directory,
    gather: Callable[[], Awaitable[bytes]],
    *,
    leaving: Callable[[], bool],
    metrics_token: str | None,
) -> Blueprint:
    """The routes. `gather` gives all workers' metrics, `leaving` says whether the server drains."""
    routes = Blueprint("ops", __name__)

    @routes.get("/healthz")
    @validate_response(Status)
    @tag(["ops"])
    async def healthz() -> Status:
        """Say that the process lives."""
        return Status("ok")

    @routes.get("/readyz")
    @validate_response(Status)
    @validate_response(Error, 503)
    @tag(["ops"])
    async def readyz() -> Status | tuple[Error, int]:
        """Say whether messages can be accepted."""
        if leaving():
            return Error("draining", "the server is leaving; send clients elsewhere"), 503
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                await messages.heads([_NOBODY])
                await directory.get_agent(_NOBODY)
        except (StorageError, TimeoutError) as error:
            return Error("unavailable", f"the store does not answer: {error}"), 503
        return Status("ok")

    @routes.get("/metrics")
    @hide
    async def numbers() -> Response:
        """Show the metrics, to this machine or to who has the token."""
        if metrics_token is not None:
            if not hmac.compare_digest(bearer().encode(), metrics_token.encode()):
                raise Refusal(Code.FORBIDDEN, "this is not the metrics token")
        elif not peer_is_loopback(request.scope):
            raise Refusal(
                Code.FORBIDDEN, "set TRADEWIND_METRICS_TOKEN to read metrics from elsewhere"
            )
        return Response(await gather(), content_type=CONTENT_TYPE_LATEST)

    return routes


def demo_blueprint(login: DemoLogin) -> Blueprint:
    """The route that the demo's pages ask for their logins; only this machine gets them."""
    routes = Blueprint("demo", __name__)

    @routes.get("/v1/demo")
    @hide
    async def demo() -> dict[str, str]:
        """Give the demo's login."""
        if not peer_is_loopback(request.scope):
            raise Refusal(Code.FORBIDDEN, "the demo's login is for this machine only")
        return msgspec.to_builtins(login)  # type: ignore[no-any-return]

    return routes
