"""A link's run, and the eye on whether its peer may still have it.

What holds always: a link whose peer's certificate has expired, or whose authority does not count
any more, is closed with FORBIDDEN within RECHECK seconds; so taking an authority out of trusted.pem
shuts out all that it let in.
May import: credentials, link.
"""

from __future__ import annotations

import asyncio

import structlog

from transport.errors import CloseCode
from transport.links.credentials import Credentials, PeerRefused
from transport.links.link import LinkEnd, Serve
from transport.links.quic import Chain

RECHECK = 10.0
"""Seconds between two looks."""

log = structlog.get_logger("tradewind.links")


async def run_guarded(
    link: LinkEnd, chain: Chain, credentials: Credentials, serve: Serve | None = None
) -> None:
    """Run the link to its end, as long as its peer may have it. A fault in it ends no other."""
    guard = asyncio.create_task(_mind(link, chain, credentials))
    try:
        await link.run(serve)
    except Exception as error:
        log.error("link.failed", link=str(link), exc_info=error)
    finally:
        guard.cancel()


async def _mind(link: LinkEnd, chain: Chain, credentials: Credentials) -> None:
    while True:
        await asyncio.sleep(RECHECK)
        try:
            credentials.judge(chain)
        except PeerRefused as refused:
            link.close(CloseCode.FORBIDDEN, refused.reason)
