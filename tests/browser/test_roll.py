"""All workers are replaced while a shopper and an agent talk, and neither notices."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from places import Desk, ServerProcess, Shopper, texts
from playwright.async_api import Browser, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

WATCH = """element => {
    const root = element.getRootNode(), seen = (window.seen = []);
    const look = () => {
        if (root.querySelector('[data-testid="banner"]')) seen.push("banner");
        const pill = root.querySelector('[data-testid="link-pill"]');
        if (pill && pill.dataset.phase !== "live") seen.push(pill.dataset.phase);
    };
    new MutationObserver(look).observe(root, { subtree: true, childList: true, attributes: true });
}"""
"""Notes every sign that the link was not live."""


async def test_a_rolling_restart_leaves_both_pages_live(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWIND_DRAIN_SECONDS", "2")
    server = ServerProcess(tmp_path, "--workers", "2", "--log-format", "json")
    await server.start()
    try:
        desk = await Desk.opens(browser, server)
        shopper = await Shopper.arrives(browser, server)
        await shopper.writes("shopper 0")
        await desk.opens_conversation("shopper 0")
        await shopper.page.get_by_test_id("panel").evaluate(WATCH)
        await desk.page.get_by_test_id("inbox").evaluate(WATCH)
        stop = asyncio.Event()

        async def talk(person: Shopper | Desk, name: str) -> list[str]:
            said = []
            while not stop.is_set():
                said.append(f"{name} {len(said) + 1}")
                await person.writes(said[-1])
                await asyncio.sleep(0.3)
            return said

        async with asyncio.TaskGroup() as tasks:
            talks = [tasks.create_task(talk(p, n)) for p, n in ((shopper, "S"), (desk, "A"))]
            await asyncio.sleep(0.5)
            await server.roll()
            stop.set()
        total = 1 + sum(len(each.result()) for each in talks)
        for page in (shopper.page, desk.page):
            await expect(page.get_by_test_id("message-text")).to_have_count(total)
        assert await texts(shopper.page) == await texts(desk.page)
        for each, name in zip(talks, "SA", strict=True):
            mine = [t for t in await texts(shopper.page) if re.match(f"{name} ", t)]
            assert mine == each.result()
        for page in (shopper.page, desk.page):
            assert await page.evaluate("window.seen") == []
    finally:
        await server.kill()
