"""The real things a browser test drives: a server process, a network without UDP, two people."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.async_api import Browser, Locator, Page, expect

READY_DEADLINE = 30.0
"""Seconds a server may take to be ready, on a busy machine."""
PATIENCE_MS = 20_000
"""Milliseconds a page may take to show what it must."""


def free_port() -> int:
    """A port that is free for TCP and UDP."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class ServerProcess:
    """`tradewind serve --demo` as a process of its own, with a data folder that outlives it."""

    def __init__(self, data: Path, *flags: str) -> None:
        self.data = data
        self.flags = flags
        self.port = free_port()
        self.http_port = free_port()
        self.log = data / "server.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def page(self) -> str:
        """The demo shop."""
        return f"http://localhost:{self.http_port}/"

    @property
    def console(self) -> str:
        return f"http://localhost:{self.http_port}/console/"

    @property
    def secure(self) -> str:
        return f"https://localhost:{self.port}/"

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(str(Path(sys.executable).with_name("tradewind")), "serve", "--demo"),
                *("--port", str(self.port), "--http-port", str(self.http_port)),
                *("--data-dir", str(self.data), *self.flags),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "NO_COLOR": "1"},
            )
        async with asyncio.timeout(READY_DEADLINE):
            while not await asyncio.to_thread(self._ready):
                assert self._process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urlopen(f"{self.page}readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    async def roll(self) -> None:
        """Replace all workers while they serve, and wait until the old ones have gone."""
        command = str(Path(sys.executable).with_name("tradewind"))
        reload = await asyncio.create_subprocess_exec(
            command, "reload", "--data-dir", str(self.data)
        )
        assert await reload.wait() == 0
        async with asyncio.timeout(READY_DEADLINE):
            while '"rolled"' not in await asyncio.to_thread(self.log.read_text):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """End it without a chance to say or write anything."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End it as an operator would; returns the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, with_signal: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(with_signal)
        return await process.wait()


@contextmanager
def udp_blocked(port: int) -> Iterator[None]:
    """Swallow every UDP packet to `port` on loopback, like a network that drops UDP.

    A socket bound to the very address gets packets before one bound to all addresses, so what the
    server would have received disappears here: no answer, and no ICMP error either.
    """
    sockets = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
        sockets.append(sock)
    try:
        yield
    finally:
        for sock in sockets:
            sock.close()


class Shopper:
    """A visitor with the demo shop open."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def arrives(cls, browser: Browser, server: ServerProcess, **context: object) -> Shopper:
        page = await (await browser.new_context(**context)).new_page()  # type: ignore[arg-type]
        shopper = cls(page)
        await page.goto(server.page)
        await shopper.open_chat()
        return shopper

    async def open_chat(self) -> None:
        await self.page.get_by_test_id("launcher").click()
        await expect(self.page.get_by_test_id("panel")).to_be_visible()

    async def reload(self) -> None:
        await self.page.reload()
        if not await self.page.get_by_test_id("panel").is_visible():
            await self.open_chat()

    async def writes(self, text: str) -> None:
        await write(self.page, text)

    def message(self, text: str) -> Locator:
        return message(self.page, text)


class Desk:
    """The demo agent with the console open."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    async def opens(cls, browser: Browser, server: ServerProcess) -> Desk:
        page = await (await browser.new_context()).new_page()
        await page.goto(server.console)
        demo = await page.evaluate("fetch('/v1/demo').then(r => r.json())")
        await page.get_by_test_id("signin-email").fill(demo["email"])
        await page.get_by_test_id("signin-password").fill(demo["password"])
        await page.get_by_test_id("signin-submit").click()
        await expect(page.get_by_test_id("inbox")).to_be_visible()
        return cls(page)

    async def opens_conversation(self, containing: str) -> None:
        row = self.page.get_by_test_id("inbox-row").filter(has_text=containing).first
        await row.click(timeout=PATIENCE_MS)

    async def writes(self, text: str) -> None:
        await write(self.page, text)

    def message(self, text: str) -> Locator:
        return message(self.page, text)


async def write(page: Page, text: str) -> None:
    """Type a message and send it with Enter."""
    field = page.get_by_test_id("composer-input")
    await field.fill(text)
    await field.press("Enter")


def message(page: Page, text: str) -> Locator:
    """The bubbles whose text is exactly `text`."""
    return page.get_by_test_id("message").filter(
        has=page.get_by_test_id("message-text").get_by_text(text, exact=True)
    )


async def texts(page: Page) -> list[str]:
    """All message texts of the open timeline, from top to bottom."""
    return await page.get_by_test_id("message-text").all_inner_texts()
