"""A shopper and an agent talk, in two real browsers' pages, and what may happen to them."""

from __future__ import annotations

import asyncio
import re

import pytest
from places import Desk, ServerProcess, Shopper, texts, udp_blocked
from playwright.async_api import Browser, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]


async def both(browser: Browser, server: ServerProcess) -> tuple[Shopper, Desk]:
    """A shopper and an agent who have exchanged a word over WebTransport."""
    desk = await Desk.opens(browser, server)
    shopper = await Shopper.arrives(browser, server)
    await shopper.writes("Is the blue mug dishwasher safe?")
    await desk.opens_conversation("blue mug")
    await expect(desk.message("Is the blue mug dishwasher safe?")).to_have_count(1)
    return shopper, desk


async def expect_transport(desk: Desk, pattern: str) -> None:
    """What the console says the visitor of the open conversation is on."""
    chip = desk.page.get_by_test_id("transport-chip").first
    await expect(chip).to_have_attribute("data-transport", re.compile(pattern))


async def test_shopper_writes_agent_answers_history_stays(
    browser: Browser, server: ServerProcess
) -> None:
    shopper, desk = await both(browser, server)
    await expect_transport(desk, "^webtransport$")
    link = desk.page.get_by_test_id("link-pill")
    await expect(link).to_have_attribute("data-transport", "webtransport")

    await desk.writes("Yes, up to 60 degrees.")
    await expect(shopper.message("Yes, up to 60 degrees.")).to_have_count(1)
    mine = shopper.message("Is the blue mug dishwasher safe?")
    await expect(mine).to_have_attribute("data-state", "read")

    said = ["Is the blue mug dishwasher safe?", "Yes, up to 60 degrees."]
    await shopper.reload()
    await expect(shopper.message(said[1])).to_have_count(1)
    assert await texts(shopper.page) == said
    await desk.page.reload()
    await desk.opens_conversation("60 degrees")
    await expect(desk.message(said[1])).to_have_count(1)
    assert await texts(desk.page) == said


async def test_typing_is_seen_by_the_other_side(browser: Browser, server: ServerProcess) -> None:
    shopper, desk = await both(browser, server)
    # Typing travels by datagram alone, so a few strokes are made.
    await shopper.page.get_by_test_id("composer-input").press_sequentially("One more", delay=150)
    typing = desk.page.get_by_test_id("conversation").get_by_test_id("typing")
    await expect(typing.first).to_be_visible()
    await expect(typing).to_have_count(0)  # It ends by itself.


async def test_notes_stay_among_agents(browser: Browser, server: ServerProcess) -> None:
    shopper, desk = await both(browser, server)
    await desk.page.get_by_test_id("tab-note").click()
    await desk.writes("Regular customer, be generous.")
    await desk.page.get_by_test_id("tab-reply").click()
    await desk.writes("Let me check.")
    await expect(shopper.message("Let me check.")).to_have_count(1)
    await expect(desk.message("Regular customer, be generous.")).to_have_count(1)
    assert "generous" not in await shopper.page.content()
    assert await texts(shopper.page) == ["Is the blue mug dishwasher safe?", "Let me check."]


QUICK = """async () => {
  const find = (id) => document.querySelector(`[data-testid=${id}]`);
  find("tab-note").click();
  await new Promise((drawn) => queueMicrotask(drawn));
  while (find("composer-input").placeholder.startsWith("Reply")) await null;
  const box = find("composer-input");
  box.value = "Quick words";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  for (let frame = 0; frame < 5; frame += 1) await new Promise(requestAnimationFrame);
  return box.value;
}"""


async def test_words_typed_the_moment_a_tab_opens_stay(
    browser: Browser, server: ServerProcess
) -> None:
    _, desk = await both(browser, server)
    assert await desk.page.evaluate(QUICK) == "Quick words"


async def test_without_udp_the_same_conversation_goes_on_over_websocket(
    browser: Browser, server: ServerProcess
) -> None:
    shopper, desk = await both(browser, server)
    with udp_blocked(server.port):
        await shopper.reload()
        await expect(shopper.message("Is the blue mug dishwasher safe?")).to_have_count(1)
        await shopper.writes("Hello again, without UDP")
        await expect(shopper.message("Hello again, without UDP")).to_have_attribute(
            "data-state", re.compile("sent|delivered|read")
        )
        # The agent's own session lost its packets too, and moves by itself.
        await expect(desk.message("Hello again, without UDP")).to_have_count(1)
        await expect_transport(desk, "^websocket-h1$")
        await desk.writes("Welcome back")
        await expect(shopper.message("Welcome back")).to_have_count(1)
        said = ["Is the blue mug dishwasher safe?", "Hello again, without UDP", "Welcome back"]
        assert await texts(shopper.page) == await texts(desk.page) == said


async def test_udp_dies_in_the_middle_of_a_conversation(
    browser: Browser, server: ServerProcess
) -> None:
    shopper, desk = await both(browser, server)
    await expect_transport(desk, "^webtransport$")
    with udp_blocked(server.port):
        await shopper.writes("Into the tunnel")
        await expect(desk.message("Into the tunnel")).to_have_count(1)
        await desk.writes("Still here")
        await expect(shopper.message("Still here")).to_have_count(1)
        await expect_transport(desk, "^websocket-h1$")
    assert (await texts(shopper.page))[-2:] == ["Into the tunnel", "Still here"]


async def test_killed_in_the_middle_of_traffic_nothing_accepted_is_lost(
    browser: Browser, server: ServerProcess
) -> None:
    shopper, desk = await both(browser, server)

    async def chatter(person: Shopper | Desk, name: str, stop: asyncio.Event) -> int:
        number = 0
        while not stop.is_set():
            number += 1
            await person.writes(f"{name} {number}")
            await asyncio.sleep(0.25)
        return number

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        talks = [
            group.create_task(chatter(shopper, "shopper", stop)),
            group.create_task(chatter(desk, "agent", stop)),
        ]
        await asyncio.sleep(3)
        await server.kill()
        await asyncio.sleep(2)
        await server.start()
        await asyncio.sleep(1)
        stop.set()
    for talk, name in zip(talks, ("shopper", "agent"), strict=True):
        wanted = [f"{name} {n}" for n in range(1, talk.result() + 1)]
        for page in (shopper.page, desk.page):
            await expect(
                page.get_by_test_id("message-text").filter(has_text=re.compile(f"^{name} "))
            ).to_have_count(len(wanted), timeout=60_000)
        waiting = shopper.page.locator('[data-testid="message"][data-state="sending"]')
        await expect(waiting).to_have_count(0, timeout=60_000)
    for page in (shopper.page, desk.page):
        seen = await texts(page)
        for talk, name in zip(talks, ("shopper", "agent"), strict=True):
            mine = [text for text in seen if text.startswith(name)]
            assert mine == [f"{name} {n}" for n in range(1, talk.result() + 1)]
    assert await texts(shopper.page) == await texts(desk.page)
    before = await texts(shopper.page)
    await shopper.reload()
    await expect(shopper.message(before[-1])).to_have_count(1)
    after = await texts(shopper.page)
    assert after == before[-len(after) :]


async def test_what_was_written_without_a_server_survives_a_reload(
    browser: Browser, server: ServerProcess
) -> None:
    shopper, desk = await both(browser, server)
    await shopper.page.get_by_test_id("composer-input").fill("half a thought")
    await shopper.reload()
    await expect(shopper.page.get_by_test_id("composer-input")).to_have_value("half a thought")
    await server.kill()
    await shopper.writes("sent into the void")
    await expect(shopper.message("sent into the void")).to_have_attribute("data-state", "sending")
    await expect(shopper.page.get_by_test_id("banner")).to_be_visible()
    await server.start()
    await expect(shopper.message("sent into the void")).to_have_attribute(
        "data-state", re.compile("sent|delivered|read")
    )
    await expect(desk.message("sent into the void")).to_have_count(1)
    await expect(shopper.page.get_by_test_id("banner")).to_have_count(0)
