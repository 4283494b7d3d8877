"""A way out of an emulated network: TCP that arrives in a place is passed on to the machine's own.

    python -m bench.peers.forward PORT NAMESPACE HOST PORT

It listens where it was started, then moves to NAMESPACE to dial. So a server that runs elsewhere is
measured as if it stood in that place: the long link ends here, and with it TCP's loss.
May import: network's kernel.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from bench.network.kernel import enter_namespace

CHUNK = 65_536


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def forward(server: socket.socket, host: str, port: int) -> None:
    """Serve until cancelled. A connection that cannot be passed on is closed."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pass_on(reader, there[1]))
            tasks.create_task(_pass_on(there[0], writer))

    async with await asyncio.start_server(accepted, sock=server) as listening:
        await listening.serve_forever()


def main() -> None:
    """The command line."""
    server = socket.create_server(("", int(sys.argv[1])))
    # asyncio does it only for sockets it made itself; those accepted inherit it.
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    enter_namespace(os.open(sys.argv[2], os.O_RDONLY))
    asyncio.run(forward(server, sys.argv[3], int(sys.argv[4])))


if __name__ == "__main__":
    main()
