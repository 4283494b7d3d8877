"""The session suite through the real server: what holds for every transport that has one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.conformance.session_suite import (
    PATIENCE,
    Maker,
    Pair,
    SessionSuite,
    until_closed,
)
from tests.transport.support.stack import ORIGIN, Stack
from transport.client import DialRefused
from transport.driver import Driver
from transport.errors import CloseCode
from transport.session import TransportKind

Dial = Callable[..., AbstractAsyncContextManager[Driver]]


class StackSuite(SessionSuite):
    """Subclass it, with the transport's kind and how to dial it. The fixture `stack` is in
    tests/transport/conftest.py."""

    kind: TransportKind
    dial: Dial

    @pytest.fixture
    def pairs(self, stack: Stack) -> Maker:
        @asynccontextmanager
        async def make() -> AsyncIterator[Pair]:
            async with type(self).dial(stack.url, trust=stack.trust) as client:
                async with asyncio.timeout(PATIENCE):
                    server = await stack.sessions.get()
                yield Pair(client, server)

        return make

    async def test_what_is_known_of_the_session(self, stack: Stack) -> None:
        async with type(self).dial(stack.url, trust=stack.trust, origin=ORIGIN):
            info = (await stack.sessions.get()).info
            assert info.transport is self.kind
            assert info.origin == ORIGIN
            assert info.path == "/v1/live"
            assert info.peer[0] == "127.0.0.1"
            assert info.secure

    async def test_foreign_origin(self, stack: Stack) -> None:
        with pytest.raises(DialRefused) as caught:
            async with type(self).dial(stack.url, trust=stack.trust, origin="https://evil.example"):
                pass
        assert caught.value.status == 403
        assert stack.sessions.empty()

    async def test_wrong_path(self, stack: Stack) -> None:
        url = stack.url.replace("/v1/live", "/v1/other")
        with pytest.raises(DialRefused) as caught:
            async with type(self).dial(url, trust=stack.trust):
                pass
        assert caught.value.status == 404
        assert stack.sessions.empty()


class WebSocketSuite(StackSuite):
    """For what is messages, whatever HTTP is below."""

    async def test_text_message(self, pairs: Maker) -> None:
        async with pairs() as pair:
            await self.send_text(pair.client)
            _, closed = await until_closed(pair.server)
            assert (closed.code, closed.remote) == (CloseCode.PROTOCOL_ERROR, False)
            _, closed = await until_closed(pair.client)
            assert (closed.code, closed.remote) == (CloseCode.PROTOCOL_ERROR, True)

    async def send_text(self, session: Driver) -> None:
        raise NotImplementedError
