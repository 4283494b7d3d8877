"""An agent looks for a message of long ago, in the console, on a desk and on a phone."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from places import Desk, ServerProcess, Shopper
from playwright.async_api import Browser, expect

from server.domain import entries
from server.service.searchable import findable
from storage.base import Conversation, Draft, Visitor
from storage.open import open_storage
from transport.uuid7 import uuid7

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

DAY = 86_400_000
TALK = 420
"""Messages of the long conversation: far more than a page shows at first."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """One for all, with a history that nobody would like to type."""
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    await server.start()
    await server.stop()
    await _remember(server)
    await server.start()
    yield server
    await server.kill()


async def _remember(server: ServerProcess) -> None:
    storage = open_storage(f"sqlite:///{server.data}/tradewind.db")
    now = time.time_ns() // 1_000_000

    async def talk(name: str, texts: list[str], ended: int) -> UUID:
        visitor, chat = Visitor(uuid7(), "demo", name=name, seen_at=ended), uuid7()
        await storage.directory.put_visitor(visitor)
        await storage.directory.create_conversation(
            Conversation(chat, "demo", visitor.id, created_at=ended, updated_at=ended)
        )
        bodies = [entries.Message(text) for text in texts]
        drafts = [
            Draft(
                chat,
                f"v:{visitor.id}",
                uuid7(),
                "message",
                entries.encode(body),
                ended - 60_000 * (len(texts) - at),
                findable("demo", body),
            )
            for at, body in enumerate(bodies)
        ]
        for start in range(0, len(drafts), 200):
            await storage.log.append(drafts[start : start + 200])
        return chat

    long = [f"Line {n} of a long story" for n in range(1, TALK + 1)]
    long[9] = TEAPOT
    await talk("Inês Carvalho", long, now - DAY)
    await talk("陈伟", ["请问你们的退货政策是什么？", "谢谢"], now - 2 * DAY)
    await talk("Ada Field", [f"Crack number {n}" for n in range(60)], now - 3 * DAY)
    await storage.close()


QUICK = """() => {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
  if (document.activeElement.dataset.testid !== "search") throw new Error("too slow for a typist");
}"""
TEAPOT = "The teapot <b>arrived</b> with a crack in its lid"


async def test_the_message_that_was_looked_for_comes_up_where_it_stands(
    browser: Browser, server: ServerProcess
) -> None:
    desk = await Desk.opens(browser, server)
    page = desk.page
    field = page.get_by_test_id("search")
    await page.evaluate(QUICK)
    await expect(field).to_be_focused()
    await page.keyboard.type("teapot crac")
    row = page.get_by_test_id("found-row")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("Inês Carvalho")
    assert await row.locator("mark").all_inner_texts() == ["teapot", "crac"]
    assert await row.locator("b").count() == 0
    await page.keyboard.press("Enter")

    found = desk.message(TEAPOT)
    await expect(found).to_have_count(1)
    await expect(found).to_be_in_viewport()
    await expect(found).to_have_attribute("data-found", "true")
    await expect(page).to_have_url(re.compile(r"#/c/[0-9a-f-]+/10$"))
    await expect(page.get_by_test_id("jump-pill")).to_be_visible()
    # What came in above and below meanwhile does not move it away.
    await page.wait_for_timeout(300)
    await expect(found).to_be_in_viewport()
    await expect(field).to_be_focused()
    await expect(row).to_have_attribute("aria-current", "true")

    await page.reload()
    await expect(found).to_be_in_viewport()
    await page.get_by_test_id("jump-pill").click()
    await expect(desk.message(f"Line {TALK} of a long story")).to_be_in_viewport()


async def test_by_keyboard_through_people_and_messages_and_back(
    browser: Browser, server: ServerProcess
) -> None:
    desk = await Desk.opens(browser, server)
    page, rows = desk.page, desk.page.get_by_test_id("found-row")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("line 7")
    await page.get_by_role("option", name="Search messages for “line 7”").click()
    await expect(page.get_by_test_id("search")).to_have_value("line 7")
    await expect(rows.first).to_contain_text("Line 79 of")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("ines")
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_have_attribute("data-type", "person")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("crack")
    await expect(rows.nth(1)).to_contain_text("Crack number 59")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(rows.nth(2)).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(desk.message("Crack number 59")).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("inbox")).to_be_visible()
    await expect(desk.message("Crack number 59")).to_be_in_viewport()


async def test_more_comes_as_the_reader_scrolls(browser: Browser, server: ServerProcess) -> None:
    desk = await Desk.opens(browser, server)
    await desk.page.get_by_test_id("search").fill("crack")
    rows, results = desk.page.get_by_test_id("found-row"), desk.page.get_by_test_id("results")
    await expect(rows).to_have_count(20)
    for count in (40, 60, 61):
        await results.evaluate("list => list.scrollTo(0, list.scrollHeight)")
        await expect(rows).to_have_count(count)
    await expect(rows.first).to_contain_text("teapot")


async def test_what_was_just_said_is_found_in_any_script(
    browser: Browser, server: ServerProcess
) -> None:
    desk = await Desk.opens(browser, server)
    field, rows = desk.page.get_by_test_id("search"), desk.page.get_by_test_id("found-row")
    await field.fill("退货")
    await expect(rows).to_have_count(1)
    assert await rows.locator("mark").all_inner_texts() == ["退货"]
    shopper = await Shopper.arrives(browser, server)
    await shopper.writes("Ça marche, le Café crème ?")
    await expect(shopper.message("Ça marche, le Café crème ?")).to_have_attribute(
        "data-state", re.compile("sent|delivered|read")
    )
    await field.fill("cafe creme")
    await expect(rows.locator("mark")).to_have_text(["Café", "crème"])
    await expect(rows).to_have_count(1)
    await field.fill("nothing like that")
    await expect(desk.page.get_by_test_id("search-empty")).to_contain_text("nothing like that")
    await desk.page.get_by_test_id("search-clear").click()
    await expect(desk.page.get_by_test_id("inbox")).to_be_visible()


async def test_on_a_phone_back_leads_to_what_was_found(
    browser: Browser, server: ServerProcess
) -> None:
    desk = await Desk.opens(browser, server)
    page, rows = desk.page, desk.page.get_by_test_id("found-row")
    await page.set_viewport_size({"width": 390, "height": 844})
    field = page.get_by_test_id("search")
    assert await field.evaluate("field => parseFloat(getComputedStyle(field).fontSize)") >= 16
    await field.fill("teapot")
    await rows.first.click()
    await expect(field).to_be_hidden()
    await expect(desk.message(TEAPOT)).to_be_in_viewport()
    await page.get_by_role("button", name="Back to the inbox").click()
    await expect(field).to_have_value("teapot")
    await expect(rows).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_without_an_answer_that_is_said_and_asked_again(
    browser: Browser, server: ServerProcess
) -> None:
    desk = await Desk.opens(browser, server)
    rows, page = desk.page.get_by_test_id("found-row"), desk.page
    await server.kill()
    await page.get_by_test_id("search").fill("teapot")
    await expect(page.get_by_test_id("search-failed")).to_be_visible()
    await server.start()
    pill = page.get_by_test_id("link-pill")
    if await pill.get_attribute("data-phase") == "reconnecting":
        await pill.click()
    await expect(pill).to_have_attribute("data-phase", "live")
    await page.get_by_test_id("search-retry").click()
    await expect(rows).to_have_count(1)
