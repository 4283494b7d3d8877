"""The pages as such: no errors, no policy violated, usable on a phone and in other languages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from places import Desk, ServerProcess, Shopper
from playwright.async_api import Browser, ConsoleMessage, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """One for all: they look at pages, and each shopper is a new one."""
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    await server.start()
    yield server
    await server.kill()


PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "reduced_motion": "reduce",
}


async def test_no_page_logs_an_error_or_breaks_its_policy(
    browser: Browser, server: ServerProcess
) -> None:
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            faults.append(message.text)

    context = await browser.new_context()
    for url in (server.page, server.console):
        page = await context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: faults.append(str(error)))
        answer = await page.goto(url, wait_until="networkidle")
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert faults == []


async def test_on_a_phone_the_chat_fills_the_screen_and_sends_by_button(
    browser: Browser, server: ServerProcess
) -> None:
    shopper = await Shopper.arrives(browser, server, **PHONE)
    box = await shopper.page.get_by_test_id("panel").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 390, "height": 844}
    await shopper.page.get_by_test_id("composer-input").fill("From my phone")
    await shopper.page.get_by_test_id("send-button").tap()
    await expect(shopper.message("From my phone")).to_have_count(1)
    size = await shopper.page.get_by_test_id("composer-input").evaluate(
        "field => parseFloat(getComputedStyle(field).fontSize)"
    )
    assert size >= 16, "a smaller field makes phones zoom in"
    wide = await shopper.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide


async def test_the_demo_shop_fits_a_phone_whatever_its_fonts(
    browser: Browser, server: ServerProcess
) -> None:
    page = await (await browser.new_context(**PHONE)).new_page()
    await page.goto(server.page)
    await page.evaluate(
        """() => {
          const wide = new CSSStyleSheet();
          wide.replaceSync("* { font-family: monospace !important; letter-spacing: 1px }");
          document.adoptedStyleSheets.push(wide);
        }"""
    )
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_the_widget_speaks_the_shoppers_language(
    browser: Browser, server: ServerProcess
) -> None:
    spoken = set()
    for locale in ("en-GB", "de-DE", "zh-CN", "ar-EG"):
        context = await browser.new_context(locale=locale)
        page = await context.new_page()
        await page.goto(server.page)
        await Shopper(page).open_chat()
        field = page.get_by_test_id("composer-input")
        spoken.add(await field.get_attribute("placeholder"))
        panel = page.get_by_test_id("panel")
        direction = await panel.evaluate("panel => getComputedStyle(panel).direction")
        assert direction == ("rtl" if locale.startswith("ar") else "ltr")
        await context.close()
    assert len(spoken) == 4


async def test_the_console_works_by_keyboard(browser: Browser, server: ServerProcess) -> None:
    shopper = await Shopper.arrives(browser, server)
    await shopper.writes("Anybody there?")
    desk = await Desk.opens(browser, server)
    await expect(desk.page.get_by_test_id("inbox-row").first).to_contain_text("Anybody there?")
    await desk.page.keyboard.press("j")
    await desk.page.keyboard.press("Enter")
    await expect(desk.message("Anybody there?")).to_have_count(1)
    await desk.page.keyboard.press("r")
    await expect(desk.page.get_by_test_id("composer-input")).to_be_focused()
    await desk.page.keyboard.type("Yes!")
    await desk.page.keyboard.press("Enter")
    await expect(shopper.message("Yes!")).to_have_count(1)


async def test_a_wrong_password_is_refused_in_words(
    browser: Browser, server: ServerProcess
) -> None:
    page = await browser.new_page()
    await page.goto(server.console)
    await page.get_by_test_id("signin-email").fill("demo@tradewind.example")
    await page.get_by_test_id("signin-password").fill("not this one")
    await page.get_by_test_id("signin-submit").click()
    await expect(page.get_by_test_id("signin-error")).to_be_visible()


async def test_what_a_shopper_writes_is_text_never_markup(
    browser: Browser, server: ServerProcess
) -> None:
    desk = await Desk.opens(browser, server)
    shopper = await Shopper.arrives(browser, server)
    hostile = '<img src=x onerror="document.title=1"><b>bold</b> https://example.org/"onclick="x'
    await shopper.writes(hostile)
    await desk.opens_conversation("bold")
    for page in (shopper.page, desk.page):
        text = page.get_by_test_id("message-text").first
        await expect(text).to_have_text(hostile)
        assert await text.locator("img, b").count() == 0
        link = text.locator("a").first
        assert await link.get_attribute("onclick") is None
        assert "noopener" in (await link.get_attribute("rel") or "")
