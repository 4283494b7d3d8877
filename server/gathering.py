"""The metrics of all workers in one text, whichever of them is asked.

Every worker shows its own on a Unix socket in one folder. Who is asked reads them all and puts the
label `worker` on each series: the number of the worker's socket on the port, so that the older
generation of a rolling restart is told from the newer one.

What holds always: only the owner of the folder can read; a worker that does not answer within
TIMEOUT seconds, or has died, is left out; a text is at most MAX_TEXT bytes.
May import: storage's Unix sockets.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from storage.remote.unix import bind, remove

TIMEOUT = 5.0
"""A worker with very many sessions counts them in small pieces, between its other work."""
MAX_TEXT = 4_194_304
_NAME = re.compile(r"metrics-(\d+)\.sock")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def listening(path: Path, text: Callable[[], Awaitable[bytes]]) -> AsyncIterator[None]:
    """Show `text` at `path` until the block is left. Raises OSError when it cannot be bound."""

    async def show(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await text())
        finally:
            writer.close()

    server = await asyncio.start_unix_server(show, sock=bind(path))
    try:
        yield
    finally:
        server.close()
        remove(path)


async def gather(folder: Path) -> bytes:
    """The texts of all workers in the folder, as one."""
    places = await asyncio.to_thread(_places, folder)
    texts = await asyncio.gather(*(_read(path) for _, path in places))
    workers = (number for number, _ in places)
    return merged((n, text) for n, text in zip(workers, texts, strict=True) if text is not None)


def merged(texts: Iterable[tuple[int, str]]) -> bytes:
    """One text out of several, told apart by the label `worker`."""
    families: dict[str, Metric] = {}
    for worker, text in texts:
        for family in text_string_to_metric_families(text):
            whole = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            for sample in family.samples:
                labels = {"worker": str(worker), **sample.labels}
                whole.add_sample(sample.name, labels, sample.value)
    registry = CollectorRegistry()
    registry.register(_Families(list(families.values())))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _places(folder: Path) -> list[tuple[int, Path]]:
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


async def _read(path: Path) -> str | None:
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(str(path))
            try:
                return await _all(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError) as error:
        log.info("a worker's metrics are left out", path=str(path), reason=str(error))
        return None


async def _all(reader: asyncio.StreamReader) -> str:
    text = bytearray()
    while chunk := await reader.read(65_536):
        text += chunk
        if len(text) > MAX_TEXT:
            raise ValueError(f"more than {MAX_TEXT} bytes of metrics")
    return text.decode()
