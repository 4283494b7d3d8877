import asyncio
from typing import Any

from transport.errors import CloseCode
from transport.uuid7 import uuid7


def value(site: Any, line: str) -> float:
    for found in site.parts.metrics.text().decode().splitlines():
        if found.startswith(line + " "):
            return float(found.rsplit(" ", 1)[1])
    return 0.0


async def test_what_happens_is_counted(site: Any) -> None:
    visitor, chat = await site.join(site.visitor), uuid7()
    await visitor.send(chat, text="hello")
    visitor.post(chat, "note", text="not mine to send")
    assert await visitor.refusal() == "forbidden"
    live = 'tradewind_sessions{role="visitor",transport="memory"}'
    assert value(site, live) == 1
    assert value(site, 'tradewind_entries_accepted_total{kind="message"}') == 1
    assert value(site, 'tradewind_refusals_total{code="forbidden"}') == 1
    assert value(site, "tradewind_append_seconds_count") == 1
    sent = value(site, 'tradewind_lane_total{what="frames_sent"}')
    assert sent >= 4
    visitor.session.close(CloseCode.NORMAL)
    await visitor.session.wait_closed()
    await asyncio.sleep(0.05)
    assert value(site, live) == 0
    assert value(site, 'tradewind_sessions_closed_total{code="NORMAL"}') == 1
    # What a session did still counts when it is over.
    assert value(site, 'tradewind_lane_total{what="frames_sent"}') >= sent


async def test_who_is_turned_away_is_counted_by_code(site: Any) -> None:
    assert await (await site.greet("rubbish")).closed() == CloseCode.UNAUTHENTICATED
    await asyncio.sleep(0.05)
    assert value(site, 'tradewind_sessions_closed_total{code="UNAUTHENTICATED"}') == 1
