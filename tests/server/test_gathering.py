"""One text of metrics from several workers."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from server import gathering
from server.metrics import Metrics
from storage.remote.unix import bind


def read(text: bytes) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], float]:
    """(name, worker, other labels): value."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            worker = labels.pop("worker")
            found[sample.name, worker, tuple(labels.items())] = sample.value
    return found


async def test_every_worker_is_there_and_told_apart(tmp_path: Path) -> None:
    one, other = Metrics(), Metrics()
    one.accepted.labels("message").inc(3)
    other.accepted.labels("message").inc(4)
    one.append.observe(0.002)
    async with AsyncExitStack() as stack:
        for number, metrics in ((0, one), (11, other)):
            path = tmp_path / f"metrics-{number}.sock"
            await stack.enter_async_context(gathering.listening(path, metrics.text))
            assert path.stat().st_mode & 0o777 == 0o600
        text = await gathering.gather(tmp_path)
    found = read(text)
    entries = "tradewind_entries_accepted_total"
    assert found[entries, "0", (("kind", "message"),)] == 3
    assert found[entries, "11", (("kind", "message"),)] == 4
    assert found["tradewind_append_seconds_count", "0", ()] == 1
    assert found["tradewind_append_seconds_bucket", "0", (("le", "0.002"),)] == 1
    assert text.count(b"# TYPE tradewind_entries_accepted_total counter") == 1
    assert not (tmp_path / "metrics-0.sock").exists()


async def test_the_dead_and_the_silent_are_left_out(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(gathering, "TIMEOUT", 0.05)
    bind(tmp_path / "metrics-1.sock").close()
    (tmp_path / "tradewind.db").touch()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.close()

    server = await asyncio.start_unix_server(silent, sock=bind(tmp_path / "metrics-2.sock"))
    async with gathering.listening(tmp_path / "metrics-3.sock", Metrics().text):
        found = read(await gathering.gather(tmp_path))
    assert {worker for _, worker, _ in found} == {"3"}
    server.close()
    await asyncio.sleep(0.2)


async def test_more_than_anybody_has_is_not_read(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(gathering, "MAX_TEXT", 1_000)
    async with gathering.listening(tmp_path / "metrics-3.sock", lambda: b"#" * 1_001):
        assert read(await gathering.gather(tmp_path)) == {}
