"""The headers that every response carries, and CORS for the shops' pages.

What holds always: our pages run only scripts and styles of ours and connect only to us; nobody
frames them; CORS opens the visitor's endpoints alone, and to the shops' origins alone.
May import: addresses; service.
"""

from __future__ import annotations

from quart import Quart, Response, request

from server.api.addresses import Addresses, Host, host_of, is_plain
from server.service.shops import Shops

SHARED = frozenset({"/v1/visitor/session", "/v1/connect"})
"""What pages of the shops may fetch."""
HSTS = "max-age=31536000"
STEADY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def install(app: Quart, addresses: Addresses, shops: Shops) -> None:
    """Put the headers on every response."""

    async def secure(response: Response) -> Response:
        scheme, host = request.scheme, host_of(request.scope)
        for name, value in STEADY.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if request.path.startswith("/v1/"):
            response.headers.setdefault("Cache-Control", "no-store")
        if host is not None:
            response.headers["Content-Security-Policy"] = policy(addresses, scheme, host)
            if not (is_plain(scheme) or host.is_loopback):
                response.headers["Strict-Transport-Security"] = HSTS
        if request.path in SHARED:
            await _share(response, shops)
        return response

    app.after_request(secure)


def policy(addresses: Addresses, scheme: str, host: Host) -> str:
    """The Content-Security-Policy of our pages."""
    connect = addresses.connect(scheme, host)
    live = [connect.websocket.url]
    if connect.webtransport is not None:
        live.append(connect.webtransport.url)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "media-src 'self'",
            f"connect-src 'self' {' '.join(live)}",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


async def _share(response: Response, shops: Shops) -> None:
    """Let the pages of the shops read this response. RFC 9110 asks for Vary in any case."""
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin is not None and origin in await shops.origins():
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        response.headers["Access-Control-Max-Age"] = "600"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
