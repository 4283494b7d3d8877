"""The real server stack with a minimal application, for tests of sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from transport.accept import Terms, accept
from transport.client import Trust
from transport.serve import Listening, ServeConfig, serving
from transport.session import Session
from transport.tls import Certificates

ORIGIN = "https://shop.example"
"""The one origin that the application knows."""


class Stack:
    """A running server: where it is, whom to trust, and the sessions that came in."""

    def __init__(self, listening: Listening, trust: Trust, folder: Path) -> None:
        port, plain_port = listening.port, listening.loopback_port
        self.listening = listening
        self.url = f"https://127.0.0.1:{port}/v1/live"
        self.plain_url = f"http://127.0.0.1:{plain_port}/v1/live"
        self.port = port
        self.trust = trust
        self.folder = folder
        """Where the certificates are."""
        self.sessions: asyncio.Queue[Session] = asyncio.Queue()

    async def serve(self, session: Session) -> None:
        self.sessions.put_nowait(session)
        await session.wait_closed()


@asynccontextmanager
async def running(folder: Path, **changes: Any) -> AsyncIterator[Stack]:
    """The stack on free ports, with a certificate kept in `folder`; `changes` of its config."""
    stack: Stack

    async def gate(scope: Any) -> Terms:
        return Terms(lambda origin: origin in (None, ORIGIN), stack.serve)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(scope, receive, send, gate)

    certificates = Certificates.development(folder)
    config = ServeConfig(
        certificates=certificates,
        gate=gate,
        **{"host": "127.0.0.1", "port": 0, "loopback_port": 0, "grace": 0.3, **changes},
    )
    async with serving(app, config) as listening:
        assert listening.loopback_port is not None
        trust = Trust(certificate_hashes=tuple(certificates.hashes()))
        stack = Stack(listening, trust, folder)
        yield stack
