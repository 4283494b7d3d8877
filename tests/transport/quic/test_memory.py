"""Python memory of a server's connection after its handshake. Native memory: `bench.memory`."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

from tests.transport.support.line import Line
from transport.quic.aio.connection import Connection

CONNECTIONS = 8
BUDGET = 27_648
"""Bytes, without HTTP/3 and the session. With all that the handshake needed it is 47 KiB."""


def test_a_connection_that_idles_is_small(tmp_path: Path) -> None:
    Line(tmp_path, delay=0.0)  # fills what is made once
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept: list[Connection] = [Line(tmp_path, delay=0.0).server for _ in range(CONNECTIONS)]
    gc.collect()
    spent = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    assert spent < BUDGET
