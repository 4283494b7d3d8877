"""One log line per request, except for those that machines repeat all day.

What holds always: no query, header or body is logged, so no token is.
May import: nothing of Tradewind.
"""

from __future__ import annotations

import structlog
from quart import Quart, Response, request

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

log = structlog.get_logger(__name__)


def install(app: Quart) -> None:
    """Log the requests of the application."""

    async def note(response: Response) -> Response:
        if request.path not in QUIET:
            log.info(
                "request",
                method=request.method,
                path=request.path[:200],
                status=response.status_code,
                peer=request.remote_addr,
                http=request.http_version,
            )
        return response

    app.after_request(note)
