"""The names of ASGI, and the one Tradewind adds to it: the scope "webtransport".

An application is called once per request or session. Scopes "http" and "websocket" are as ASGI has
them. The scope "webtransport" is shaped like the one of aioquic's example server, with what it
misses added:

    scope {"type": "webtransport", "asgi": {…}, "http_version": "3", "scheme": "https", "path",
           "raw_path", "query_string", "headers", "client", "server", "state",
           "extensions": {"webtransport": {"max_datagram_size": int}}}

A session over ALPN `tradewind/1` (transport/quic/native.py) is the same scope, with `http_version`
"tradewind/1" and no header but `host`.

    receive {"type": "webtransport.connect"}
            {"type": "webtransport.stream.receive", "stream": int, "data": bytes, "more": bool}
            {"type": "webtransport.stream.reset", "stream": int, "code": int}
            {"type": "webtransport.datagram.receive", "data": bytes}
            {"type": "webtransport.disconnect", "code": int, "reason": str}

    send    {"type": "webtransport.accept", "headers": […]}
            {"type": "webtransport.close", "code": int, "reason": str, "status": int}
            {"type": "webtransport.stream.send", "stream": int, "data": bytes, "more": bool}
            {"type": "webtransport.stream.reset", "stream": int, "code": int}
            {"type": "webtransport.datagram.send", "data": bytes}

What holds always: "connect" comes first and "disconnect" last; nothing may be sent before "accept"
but "close", which then refuses the session with `status` (403 when left out); after the end every
send is dropped in silence; sending stream bytes waits while the peer does not read; a datagram over
`max_datagram_size` or over what is queued already is dropped and counted, never waited for. When
the peer, or the connection below, vanishes without a code, "disconnect" has code 1006.

Every scope served here has `scope["state"]["tradewind.abort"]`, a function without arguments that
cuts what carries this scope at once: the TCP connection, or the one stream or session of a QUIC
connection.

May import: nothing of Tradewind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ABORT = "tradewind.abort"
"""The key in `scope["state"]` of the function that cuts what carries the scope."""
