"""What a message costs a server: CPU time and packets, both ways, acknowledgements included.

    python -m bench.cost --sessions 20 --messages 100

Every session sends a message, hears that it was accepted, and after GAP seconds sends the next. The
server is the one of `bench.memory`, in a process of its own, over loopback. A busy machine lets
copies meet and acknowledgements wait: believe a figure that comes back on a quiet one.

May import: transport, memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from typing import Any
from uuid import UUID

import structlog
import uvloop

from bench.memory import server, sessions
from transport.driver import Driver
from transport.session import TransportKind
from transport.uuid7 import uuid7
from transport.wire.frames import Send

GAP = 0.05
"""Seconds from an answer to the next message."""
QUIET = 1.0
"""Seconds around the measurement for what is still on its way."""
CONVERSATION = UUID(int=1)


async def _talk(session: Driver, messages: int) -> None:
    for _ in range(messages):
        session.send(Send(uuid7(), CONVERSATION, "message"))
        await session.receive()
        await asyncio.sleep(GAP)


async def measure(kind: TransportKind, count: int, messages: int) -> dict[str, Any]:
    """Costs for each message."""
    with tempfile.TemporaryDirectory() as folder:
        async with server(folder) as other:
            port = (await other.line())["port"]
            async with sessions(kind, port, count) as opened:
                await asyncio.sleep(QUIET)
                before = await other.ask()
                await asyncio.gather(*(_talk(session, messages) for session in opened))
                await asyncio.sleep(QUIET)
                after = await other.ask()
    spent = {name: (after[name] - before[name]) / (count * messages) for name in before}
    return {
        "transport": str(kind),
        "messages": count * messages,
        "cpu_us_per_message": round(spent["cpu"] * 1e6),
        "packets_in_per_message": round(spent["quic_packets_in"], 2),
        "packets_out_per_message": round(spent["quic_packets_out"], 2),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.cost")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--messages", type=int, default=100)
    kinds = [str(kind) for kind in TransportKind if kind is not TransportKind.MEMORY]
    parser.add_argument("--transport", choices=kinds, default="webtransport")
    chosen = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    kind = TransportKind(chosen.transport)
    print(json.dumps(uvloop.run(measure(kind, chosen.sessions, chosen.messages)), indent=1))


if __name__ == "__main__":
    main()
