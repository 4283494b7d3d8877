"""qlog of chosen connections: what happened on the wire, for qvis and for people.

One file a connection, `<connection id>.sqlog` (JSON text sequences of qlog 0.3), written as it
happens, so that a trace of a connection that hangs, or of a process that died, is there as well.
It holds frame types, sizes, losses and round trips, but no content, no header fields (they carry
tokens) and nothing by which a connection could be reset (SECRET).

What holds always: a share of the connections is traced, and all of one address; a file has at most
MAX_BYTES bytes, then it ends with an event that says so; of more than MAX_FILES files the oldest
go; a disk that is full ends the trace, never the connection. A connection that is not traced costs
nothing.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import structlog
from aioquic.quic.logger import QLOG_VERSION, QuicLogger, QuicLoggerTrace

MAX_BYTES = 8_388_608
"""Bytes of a trace. What comes after is not written."""
MAX_FILES = 256
"""Traces in the folder. Over it the oldest are deleted."""
SUFFIX = ".sqlog"
SECRET = frozenset({"headers", "reset_token", "stateless_reset_token", "token"})
"""Fields of aioquic's records that are left out, however deep they stand."""

log = structlog.get_logger("tradewind.qlog")


class Qlog(QuicLogger):
    """Decides which connections are traced. aioquic asks by `start_trace`."""

    def __init__(
        self,
        folder: Path,
        *,
        share: float = 0.0,
        address: str | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._share = share
        self._address = address
        self._dice = dice
        self._chosen = False

    def choose(self, host: str) -> None:
        """Say who the next connection is from, before it is made."""
        self._chosen = host == self._address or self._dice() < self._share

    def start_trace(self, is_client: bool, odcid: bytes) -> QuicLoggerTrace:
        """A trace, or None for a connection that is not traced: aioquic takes that as well."""
        if not self._chosen:
            return None  # type: ignore[return-value]
        self._chosen = False
        try:
            self._make_room()
            file = (self._folder / f"{odcid.hex()}{SUFFIX}").open("wb", buffering=16_384)
        except OSError as error:
            log.warning("qlog.not_written", reason=str(error))
            return None  # type: ignore[return-value]
        return Trace(file, is_client=is_client, odcid=odcid)

    def end_trace(self, trace: QuicLoggerTrace) -> None:
        """The connection is over."""
        assert isinstance(trace, Trace)
        trace.close()

    def _make_room(self) -> None:
        files = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) - MAX_FILES + 1)]:
            path.unlink(missing_ok=True)


class Trace(QuicLoggerTrace):
    """One file."""

    def __init__(self, file: BinaryIO, *, is_client: bool, odcid: bytes) -> None:
        super().__init__(is_client=is_client, odcid=odcid)
        self._file: BinaryIO | None = file
        self._left = MAX_BYTES
        self._write(
            {
                "qlog_format": "JSON-SEQ",
                "qlog_version": QLOG_VERSION,
                "trace": {
                    "common_fields": {"ODCID": odcid.hex(), "time_format": "absolute"},
                    "vantage_point": {"type": "client" if is_client else "server"},
                },
            }
        )

    def log_event(self, *, category: str, event: str, data: dict[str, Any]) -> None:
        """Write what aioquic says, while there is room."""
        if self._file is None:
            return
        name = f"{category}:{event}"
        self._write({"time": time.time() * 1000, "name": name, "data": _without_secrets(data)})
        if self._left <= 0:
            self._write({"time": time.time() * 1000, "name": "tradewind:truncated", "data": {}})
            self.close()

    def close(self) -> None:
        """No more is written."""
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError as error:
                log.warning("qlog.not_written", reason=str(error))

    def _write(self, record: dict[str, Any]) -> None:
        if self._file is None:
            return
        line = b"\x1e" + msgspec.json.encode(record) + b"\n"
        self._left -= len(line)
        try:
            self._file.write(line)
        except OSError as error:
            log.warning("qlog.not_written", reason=str(error))
            self.close()


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_secrets(v) for k, v in value.items() if k not in SECRET}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value
