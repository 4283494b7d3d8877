"""What the TCP and the QUIC side share of Hypercorn: its settings, its log, its WebSocket stream.

What holds always: no WebSocket is compressed (a chat frame gains nothing, a compression window
costs more memory than the whole session, and a small message could unpack to a huge one); an
application's exception is logged once, here, and answered with 500 or close code 1011.
Bound: a WebSocket message over MAX_MESSAGE is closed with 1009.
May import: tcp's frames.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import structlog
from hypercorn.config import Config
from hypercorn.protocol.events import Event, Request
from hypercorn.protocol.ws_stream import WSStream
from wsproto.events import CloseConnection
from wsproto.events import Event as WebSocketEvent
from wsproto.frame_protocol import CloseReason

from transport.tcp.frames import MAX_MESSAGE

APP_QUEUE = 8
"""Events that wait for the application in a stream; then the stream's sender waits."""
KEEP_ALIVE = 30.0
"""Seconds a TCP connection may stay without a request, or with half of one."""
MAX_STREAMS = 32
"""Requests at once on one HTTP/2 connection."""
ALT_SVC_MAX_AGE = 86_400
"""Seconds a browser remembers that the port speaks HTTP/3."""

EXTENSIONS = b"sec-websocket-extensions"

log = structlog.get_logger("tradewind.http")


class AppLog:
    """Takes the place of Hypercorn's logger: the application logs its requests itself."""

    def __init__(self, config: Config) -> None:
        pass

    async def access(self, *_: Any) -> None:
        """Nothing."""

    async def exception(self, message: str, *_: Any, **__: Any) -> None:
        """The application raised."""
        log.exception("application.failed")

    async def error(self, message: str, *args: Any, **_: Any) -> None:
        """Hypercorn reports a fault."""
        log.error("hypercorn", message=message % args if args else message)

    critical = warning = error

    async def info(self, message: str, *args: Any, **_: Any) -> None:
        """Hypercorn tells what it does."""
        log.debug("hypercorn", message=message % args if args else message)

    debug = info


def hypercorn_config(quic_port: int | None) -> Config:
    """Settings for both sides; with a `quic_port`, responses announce HTTP/3 there (RFC 7838)."""
    config = Config()
    config.logger_class = AppLog  # type: ignore[assignment]
    config.include_server_header = False
    config.max_app_queue_size = APP_QUEUE
    config.websocket_max_message_size = MAX_MESSAGE
    config.keep_alive_timeout = KEEP_ALIVE
    config.h2_max_concurrent_streams = MAX_STREAMS
    if quic_port is not None:
        config.alt_svc_headers = [f'h3=":{quic_port}"; ma={ALT_SVC_MAX_AGE}']
    return config


class WebSocketStream(WSStream):
    """Hypercorn's, without compression, and with the peer's close code in "disconnect"."""

    close_code: int | None = None

    async def handle(self, event: Event) -> None:
        """Take an event from the protocol below."""
        if isinstance(event, Request):
            headers = [(n, v) for n, v in event.headers if n.lower() != EXTENSIONS]
            await super().handle(replace(event, headers=headers))
            self._tell_code()
        else:
            await super().handle(event)

    async def _send_wsproto_event(self, event: WebSocketEvent) -> None:
        # The answer to the peer's Close carries the peer's code.
        if isinstance(event, CloseConnection) and self.close_code is None:
            self.close_code = event.code or CloseReason.NO_STATUS_RCVD.value
        await super()._send_wsproto_event(event)

    def _tell_code(self) -> None:
        put = self.app_put
        if put is None:
            return

        async def put_with_code(message: Any) -> None:
            if message["type"] == "websocket.disconnect" and self.close_code is not None:
                message = {**message, "code": self.close_code}
            await put(message)

        self.app_put = put_with_code
