"""Traces of chosen connections, by the real server."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.transport.support.echo import connected, echo, served, until
from transport.quic import qlog
from transport.quic.qlog import Qlog


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(part) for part in path.read_text().split("\x1e")[1:]]


def traces(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.sqlog"))


async def talk(folder: Path, log: Qlog) -> None:
    async with served(echo, folder, qlog=log) as listening:
        async with connected(listening) as client:
            authorization = [(b"authorization", b"Bearer geheim")]
            assert (await client.request("GET", "/", authorization)).status == 200
        await until(lambda: not listening.stats()["quic_connections"])


async def test_a_traced_connection_tells_what_happened_and_no_content(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    await talk(tmp_path, Qlog(folder, share=1.0))
    (path,) = traces(folder)
    head, *events = records(path)
    assert head["qlog_format"] == "JSON-SEQ"
    assert head["trace"]["common_fields"]["ODCID"] == path.stem
    text = path.read_text()
    assert "geheim" not in text
    assert "reset_token" not in text
    names = {event["name"] for event in events}
    assert {"transport:packet_sent", "transport:packet_received"} <= names


async def test_nobody_is_traced_without_a_share_or_an_address(tmp_path: Path) -> None:
    await talk(tmp_path, Qlog(tmp_path / "traces"))
    assert traces(tmp_path / "traces") == []


@pytest.mark.parametrize(("address", "count"), [("127.0.0.1", 1), ("192.0.2.1", 0)])
async def test_one_visitor_is_traced_by_address(tmp_path: Path, address: str, count: int) -> None:
    await talk(tmp_path, Qlog(tmp_path / "traces", address=address))
    assert len(traces(tmp_path / "traces")) == count


def test_a_share_is_a_share(tmp_path: Path) -> None:
    rolls = iter([0.1, 0.3, 0.2, 0.9])
    log = Qlog(tmp_path, share=0.25, dice=lambda: next(rolls))
    made = []
    for number in range(4):
        log.choose("192.0.2.1")
        made.append(log.start_trace(False, bytes([number])))
    assert [trace is not None for trace in made] == [True, False, True, False]
    for trace in made:
        if trace is not None:
            log.end_trace(trace)


def test_a_file_is_bounded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qlog, "MAX_BYTES", 2_000)
    log = Qlog(tmp_path, share=1.0)
    log.choose("192.0.2.1")
    trace = log.start_trace(False, b"\x01")
    for number in range(1_000):
        trace.log_event(category="transport", event="packet_sent", data={"number": number})
    log.end_trace(trace)
    (path,) = traces(tmp_path)
    assert path.stat().st_size < 2_300
    assert records(path)[-1]["name"] == "tradewind:truncated"


def test_the_oldest_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qlog, "MAX_FILES", 3)
    log = Qlog(tmp_path, share=1.0)
    for number in range(6):
        log.choose("192.0.2.1")
        log.end_trace(log.start_trace(False, bytes([number])))
        os.utime(tmp_path / f"{number:02x}.sqlog", (number, number))
    assert [path.stem for path in traces(tmp_path)] == ["03", "04", "05"]


async def test_a_folder_that_cannot_be_written_hurts_no_connection(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    log = Qlog(folder, share=1.0)
    folder.rmdir()
    await talk(tmp_path, log)
