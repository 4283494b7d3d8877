"""A path, or a machine, that becomes many times slower than it was, in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transport.support.line import Line

MESSAGE = b"pong"


def slowed(folder: Path, before: float, after: float) -> Line:
    """A line that was quick for a while, on which the server now answers at the new pace."""
    line = Line(folder, delay=before)
    for _ in range(8):
        line.client.send_stream_data(0, MESSAGE)
        line.run(1.0)
        line.server.send_stream_data(0, MESSAGE)
        line.run(1.0)
    line.packets()
    line.delay = after
    return line


@pytest.mark.parametrize("after", [0.05, 0.2, 1.0])
def test_a_slower_path_is_learnt_and_not_flooded(tmp_path: Path, after: float) -> None:
    """What is sent again before its answer comes would be sent again for ever, if the answer did
    not say how slow the path has become."""
    line = slowed(tmp_path, 0.002, after)
    for _ in range(4):
        line.client.send_stream_data(0, MESSAGE)
        line.server.send_stream_data(0, MESSAGE)
        line.run(10.0)
    line.packets()
    line.client.send_stream_data(0, MESSAGE)
    line.server.send_stream_data(0, MESSAGE)
    line.run(10.0)
    client, server = line.packets()
    assert client <= 6
    assert server <= 6
    assert line.server.round_trip > after
