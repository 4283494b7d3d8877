"""Write the golden vectors from readable scripts: `python tests/vectors/generate.py`.

The hex comes from the Python implementation. Read the difference before committing it: the
vectors, not the code, are the reference.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent))

from vectors import Script, frame_from_json, frame_to_json  # noqa: E402

from transport.wire import codec, hedge, varint  # noqa: E402
from transport.wire.loss import Loss, LossEstimate, LossMeter  # noqa: E402

A = "0190b3a0-7c4e-7d3a-9b1e-0a1b2c3d4e5f"
B = "0190b3a0-7c4e-7d3a-9b1e-ffffffffffff"
M1 = "0190b3a1-0000-7000-8000-000000000001"
M2 = "0190b3a1-0000-7000-8000-000000000002"
M3 = "0190b3a1-0000-7000-8000-000000000003"
S = "0190b3a2-0000-7000-8000-00000000000a"
AT = 1_790_000_000_123


def hello(**more: Any) -> dict[str, Any]:
    return {"type": "hello", "version": 1, "token": "t", "resume": [], "client": "", **more}


def welcome(**more: Any) -> dict[str, Any]:
    return {
        "type": "welcome", "version": 1, "session": S, "me": "v:" + A, "now": AT,
        "heartbeat": 25000, "resumed": [], "state": {}, **more,
    }  # fmt: skip


def send(client_id: str, conversation: str = A, text: str = "hi") -> dict[str, Any]:
    return {
        "type": "send", "client_id": client_id, "conversation": conversation,
        "kind": "message", "body": {"text": text},
    }  # fmt: skip


def deliver(seq: int, client_id: str = M1, conversation: str = A) -> dict[str, Any]:
    return {
        "type": "deliver", "conversation": conversation, "epoch": 1, "seq": seq,
        "author": "a:" + B, "client_id": client_id, "kind": "message", "body": {"text": "hey"},
        "at": AT,
    }  # fmt: skip


def report(upto: int, lost: int, runs: int, useful: int = 0, wasted: int = 0) -> dict[str, Any]:
    return {
        "type": "report", "upto": upto, "lost": lost, "runs": runs,
        "useful": useful, "wasted": wasted,
    }  # fmt: skip


PING = {"type": "ping", "nonce": 7}
PONG = {"type": "pong", "nonce": 7}
CLOSE = {"type": "close", "code": 1000, "reason": "bye"}
TYPING = {"type": "typing", "conversation": A, "on": True, "who": ""}
DRAIN = {"type": "drain", "deadline": 30000}

VALID: dict[str, dict[str, Any]] = {
    "hello with no position": hello(),
    "hello with positions": hello(
        token="eyJhbGciOiJIUzI1NiJ9.e30.x",
        resume=[
            {"conversation": A, "epoch": 1, "seq": 17},
            {"conversation": B, "epoch": 0, "seq": 0},
        ],
        client="widget/0.1.0",
    ),
    "welcome": welcome(
        resumed=[{"conversation": A, "epoch": 1, "head": 70000, "recovered": True}],
        state={"shop": {"id": "demo", "name": "Démo 商店"}, "conversations": []},
    ),
    "send": send(M1, text="Où est ma commande ? 🧭"),
    "send with an empty body": {**send(M1), "body": {}},
    "accepted": {
        "type": "accepted", "client_id": M1, "conversation": A, "epoch": 1, "seq": 128, "at": AT,
    },
    "queued": {"type": "queued", "client_id": M1, "conversation": A, "at": AT},
    "deliver": deliver(65536),
    "deliver hidden": {**deliver(3), "kind": "hidden", "body": {}},
    "received": {"type": "received", "conversation": A, "seq": 4, "who": "v:" + B},
    "read": {"type": "read", "conversation": A, "seq": 255},
    "typing": TYPING,
    "presence": {
        "type": "presence", "who": "v:" + A, "state": "online",
        "detail": {"transport": "webtransport"},
    },
    "call": {
        "type": "call", "id": 1, "method": "history",
        "params": {"before": None, "limit": 50},
    },
    "result": {"type": "result", "id": 1, "value": {"more": False, "entries": [[1, -1, 1.5]]}},
    "refused send": {
        "type": "refused", "code": "conflict", "message": "used before", "retry_after": None,
        "client_id": M1, "call": None,
    },
    "refused call": {
        "type": "refused", "code": "rate_limited", "message": "slower, please",
        "retry_after": 1500, "client_id": None, "call": 3,
    },
    "drain": DRAIN,
    "ping": PING,
    "pong": {"type": "pong", "nonce": 4294967296},
    "close": {"type": "close", "code": 4001, "reason": "slow reader"},
    "report": report(1000, 31, 12, useful=480, wasted=490),
}  # fmt: skip

DECODES = {
    "hello, defaults left out": ([0, 1, "t"], hello()),
    "close, reason left out": ([15, 4000], {"type": "close", "code": 4000, "reason": ""}),
    "ping with items to come": ([13, 7, "later", {"x": 1}], PING),
    "typing with a text UUID": ([7, A, True], TYPING),
    "report, copies left out": ([16, 9, 1, 1], report(9, 1, 1)),
}

INVALID = {
    "nothing": b"",
    "reserved byte": b"\xc1",
    "a map": codec.pack({"type": 13}),
    "an empty array": codec.pack([]),
    "an unknown type": codec.pack([17, 1]),
    "a negative type": codec.pack([-1]),
    "a type as text": codec.pack(["ping", 1]),
    "ping without nonce": codec.pack([13]),
    "ping with text": codec.pack([13, "x"]),
    "ping with nil": codec.pack([13, None]),
    "a short UUID": codec.pack([6, b"\x00" * 15, 1]),
    "a UUID as a number": codec.pack([6, 5, 1]),
    "a negative seq": codec.pack([6, b"\x00" * 16, -1]),
    "a seq over 2^53 - 1": codec.pack([6, b"\x00" * 16, 2**53]),
    "typing without a boolean": codec.pack([7, b"\x00" * 16, 1]),
    "cut short": bytes(codec.pack([13, 70000]))[:-1],
    "bytes after the frame": bytes(codec.pack([13, 1])) + b"\x00",
    "an array that lies about its length": b"\xdd\xff\xff\xff\xff\x0d",
    "text that is not UTF-8": b"\x93\x00\x01\xa2\xff\xfe",
}

FIRST = (0, 5, 10, 15, 23, 33, 46, 63, 83)
"""When the copies of a frame go out, in ms, before any report; the second is the stream's."""


def copies(start: int = 0, times: tuple[int, ...] = FIRST) -> list[dict[str, Any]]:
    """Polls at just the times at which copies are due."""
    return [
        step
        for at in times
        for step in ({"timer": start + at if at else 0}, {"at": start + at, "poll": ...})
    ]


LIVE: list[dict[str, Any]] = [
    {"at": 0, "send": hello()}, *copies(),
    {"at": 90, "receive": ["stream", [welcome()]]},
]  # fmt: skip
"""The steps that make a client live, its eight datagrams and its record sent."""

SCRIPTS: list[dict[str, Any]] = [
    {
        "name": "messages: the whole life of a client",
        "role": "client", "max_datagram": None,
        "steps": [
            {"state": "new"},
            {"at": 0, "send": send(M1), "error": True},
            {"at": 0, "send": hello()},
            {"state": "joining"}, {"timer": 0},
            {"at": 0, "send": send(M1)},
            {"at": 0, "poll": ...},
            {"timer": 62500},
            {"at": 200, "receive": ["message", welcome(heartbeat=20000)]},
            {"state": "live"}, {"timer": 20000},
            {"at": 210, "receive": ["message", {
                "type": "accepted", "client_id": M1, "conversation": A,
                "epoch": 1, "seq": 1, "at": AT}]},
            {"at": 20000, "poll": ...},
            {"timer": 40000},
            {"at": 20200, "receive": ["message", {"type": "pong", "nonce": 1}]},
            {"at": 20300, "receive": ["message", PING]},
            {"at": 20300, "poll": ...},
            {"at": 20400, "receive": ["message", DRAIN]},
            {"state": "draining"},
            {"at": 20500, "send": send(M2)},
            {"at": 20500, "close": [1000, "moved"]},
            {"state": "closed"}, {"closed": [1000, False]},
            {"at": 20500, "poll": ...},
            {"timer": None},
            {"at": 20501, "send": send(M3), "error": True},
            {"at": 20501, "receive": ["message", PING]},
            {"at": 20501, "poll": ...},
        ],
    },
    {
        "name": "messages: a server welcomes, delivers, and is closed by the peer",
        "role": "server", "max_datagram": None,
        "steps": [
            {"timer": 10000},
            {"at": 5, "receive": ["message", hello()]},
            {"state": "joining"},
            {"at": 6, "receive": ["message", send(M1)]},
            {"at": 7, "send": deliver(1), "error": True},
            {"at": 8, "send": welcome()},
            {"state": "live"},
            {"at": 8, "send": hello(), "error": True},
            {"at": 9, "send": deliver(1)},
            {"at": 9, "poll": ...},
            {"timer": 62506},
            {"at": 20, "receive": ["message", CLOSE]},
            {"closed": [1000, True]},
            {"at": 21, "receive": ["message", send(M2)]},
            {"timer": None},
        ],
    },
    {
        "name": "no hello in time",
        "role": "server", "max_datagram": None,
        "steps": [
            {"at": 9999, "poll": ...}, {"closed": None},
            {"at": 10000, "poll_close": ["message", 4204]}, {"closed": [4204, False]},
        ],
    },
    {
        "name": "silence ends a live session",
        "role": "server", "max_datagram": None,
        "steps": [
            {"at": 0, "receive": ["message", hello()]},
            {"at": 0, "send": welcome()}, {"at": 0, "poll": ...},
            {"at": 62499, "poll": ...}, {"closed": None},
            {"at": 62500, "poll_close": ["message", 4002]}, {"closed": [4002, False]},
        ],
    },
    {
        "name": "a heartbeat of nothing is taken as 100 ms",
        "role": "client", "max_datagram": None,
        "steps": [
            {"at": 0, "send": hello()}, {"at": 0, "poll": ...},
            {"at": 10, "receive": ["message", welcome(heartbeat=0)]},
            {"at": 50, "poll": ...}, {"timer": 100},
            {"at": 100, "poll": ...}, {"timer": 200},
        ],
    },
    {
        "name": "a frame before hello",
        "role": "server", "max_datagram": None,
        "steps": [
            {"at": 1, "receive": ["message", send(M1)]},
            {"closed": [4200, False]},
            {"at": 1, "poll_close": ["message", 4200]},
        ],
    },
    {
        "name": "a second hello",
        "role": "server", "max_datagram": None,
        "steps": [
            {"at": 1, "receive": ["message", hello()]},
            {"at": 2, "receive": ["message", hello()]},
            {"closed": [4200, False]},
        ],
    },
    {
        "name": "a message that is no frame",
        "role": "client", "max_datagram": None,
        "steps": [
            {"at": 0, "send": hello()}, {"at": 0, "poll": ...},
            {"at": 1, "receive": ["message", "c1"]},
            {"closed": [4200, False]},
            {"at": 1, "poll_close": ["message", 4200]},
        ],
    },
    {
        "name": "the transport is lost",
        "role": "client", "max_datagram": None,
        "steps": [
            {"at": 0, "send": hello()}, {"at": 0, "poll": ...},
            {"at": 1, "lost": 1006}, {"closed": [1006, True]}, {"timer": None},
        ],
    },
    {
        "name": "lane: before any report nine copies, close at first, the second on the stream",
        "role": "client", "max_datagram": 1169,
        "steps": [
            {"at": 0, "send": hello()},
            *copies(),
            {"timer": 62500},
            {"counters": {"frames_sent": 1, "datagrams_sent": 8, "copies": 9}},
        ],
    },
    {
        "name": "lane: back points into the flow, or to the first frame",
        "role": "client", "max_datagram": 1169,
        "steps": [
            {"at": 0, "send": hello()},
            {"at": 1, "send": send(M1, A)},
            {"at": 2, "send": send(M2, B)},
            {"at": 3, "send": send(M3, A)},
            {"at": 4, "send": {"type": "call", "id": 1, "method": "inbox", "params": {}}},
            {"at": 5, "poll": ...}, {"timer": 10},
            {"at": 10, "poll": ...}, {"timer": 15},
            *copies(5, FIRST[2:]),
            {"timer": 62500},
        ],
    },
    {
        "name": "lane: after a stall the copies do not bunch up",
        "role": "client", "max_datagram": 1169,
        "steps": [
            {"at": 0, "send": hello()},
            {"at": 500, "poll": ...}, {"timer": 505},
            {"at": 900, "poll": ...}, {"timer": 905},
            {"at": 901, "poll": ...},
            {"at": 999, "poll": ...}, {"timer": 1004},
        ],
    },
    {
        "name": "lane: a large frame goes by the stream alone, after what came before it",
        "role": "client", "max_datagram": 100,
        "steps": [
            {"at": 0, "send": hello()},
            {"at": 0, "send": send(M1, text="x" * 100)},
            {"at": 0, "poll": ...},
            {"at": 5, "poll": ...},
            {"at": 6, "send": send(M2, text="y" * 100)},
            {"timer": 0},
            {"at": 6, "poll": ...}, {"timer": 10},
        ],
    },
    {
        "name": "lane: ephemeral frames are one datagram, without a number",
        "role": "client", "max_datagram": 1169,
        "steps": [
            {"at": 0, "send": hello()}, {"at": 0, "poll": ...},
            {"at": 1, "send": TYPING}, {"at": 1, "poll": ...},
            *copies(0, FIRST[1:]),
            {"at": 100, "poll": ...},
        ],
    },
    {
        "name": "lane: without datagrams everything is numbered on the stream",
        "role": "client", "max_datagram": 0,
        "steps": [
            {"at": 0, "send": hello()}, {"at": 0, "send": TYPING}, {"at": 0, "send": send(M1)},
            {"at": 0, "poll": ...}, {"timer": 62500},
        ],
    },
    {
        "name": "lane: hedge=false keeps a frame on the stream, and the order of its flow",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 0, "receive": ["stream", [hello()]]},
            {"at": 0, "send": welcome()}, *copies(),
            {"at": 90, "send": deliver(1), "hedge": False},
            {"at": 90, "send": deliver(2, M2)},
            *copies(90),
        ],
    },
    {
        "name": "lane: copies are dropped, whichever comes first",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 1, "receive": ["datagram", [1, 1, 0, hello()]]},
            {"at": 2, "receive": ["datagram", [2, 1, 0, hello()]]},
            {"at": 3, "receive": ["stream", [hello(), send(M1)]]},
            {"at": 4, "receive": ["datagram", [3, 2, 1, send(M1)]]},
            {"counters": {"frames_received": 2, "duplicates": 3, "first_by_datagram": 1}},
            {"closed": None},
        ],
    },
    {
        "name": "lane: a frame waits for the one before it in its flow, not for other flows",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 1, "receive": ["stream", [hello()]]},
            {"at": 2, "receive": ["datagram", [1, 4, 2, send(M2, A)]], "frames": []},
            {"at": 3, "receive": ["datagram", [2, 3, 2, send(M3, B)]]},
            {"at": 4, "receive": ["datagram", [3, 4, 2, send(M2, A)]], "frames": []},
            {"at": 5, "receive": ["datagram", [4, 2, 1, send(M1, A)]],
             "frames": [send(M1, A), send(M2, A)]},
            {"at": 6, "receive": ["stream", [send(M1, A), send(M3, B), send(M2, A)]], "frames": []},
            {"counters": {"frames_received": 4, "duplicates": 4}},
        ],
    },
    {
        "name": "lane: what waits is released by the stream too",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 1, "receive": ["datagram", [1, 2, 1, send(M1)]], "frames": []},
            {"at": 1, "receive": ["datagram", [2, 3, 1, send(M2)]], "frames": []},
            {"at": 2, "receive": ["stream", [hello()]],
             "frames": [hello(), send(M1), send(M2)]},
        ],
    },
    {
        "name": "lane: stream bytes come in pieces",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 1, "receive": ["stream", "16"], "frames": []},
            {"at": 2, "receive": ["stream", "930001"], "frames": []},
        ],
    },
    {
        "name": "lane: an ephemeral frame before hello is dropped without a fault",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 1, "receive": ["datagram", [1, 0, 0, TYPING]], "frames": []},
            {"closed": None}, {"state": "new"},
            {"at": 2, "receive": ["datagram", [2, 1, 0, hello()]]},
            {"at": 3, "receive": ["datagram", [3, 0, 0, TYPING]]},
        ],
    },
    {
        "name": "lane: too far ahead is left to the stream",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 1, "receive": ["stream", [hello()]]},
            {"at": 2, "receive": ["datagram", [1, 1026, 0, send(M1)]], "frames": []},
            {"at": 3, "receive": ["datagram", [2, 1025, 0, send(M1)]]},
            {"counters": {"dropped": 1}}, {"closed": None},
        ],
    },
    {
        "name": "reports: what came and what was lost is told, in time and when there is news",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 0, "receive": ["stream", [hello()]]},
            {"at": 1, "receive": ["datagram", [1, 0, 0, TYPING]]},
            {"at": 2, "receive": ["datagram", [3, 0, 0, TYPING]]},
            {"at": 3, "receive": ["datagram", [2, 0, 0, TYPING]]},
            {"at": 300, "receive": ["datagram", [5, 0, 0, TYPING]]},
            {"at": 300, "poll": ...},
            {"at": 550, "receive": ["datagram", [6, 0, 0, TYPING]]},
            {"at": 550, "poll": ...},
            {"counters": {"reports_sent": 1}},
            {"at": 551, "receive": ["datagram", [4, 0, 0, TYPING]]},
            {"at": 700, "receive": ["datagram", [80, 2, 1, send(M1)]]},
            {"at": 700, "poll": ...},
            {"at": 701, "receive": ["datagram", [81, 2, 1, send(M1)]]},
            {"at": 800, "receive": ["datagram", [82, 0, 0, TYPING]]},
            {"at": 800, "poll": ...},
            {"counters": {"reports_sent": 2, "wasted_received": 1}},
            {"at": 1100, "receive": ["datagram", [9007199254740991, 0, 0, TYPING]]},
            {"at": 1100, "poll": ...},
            {"counters": {"reports_sent": 3}}, {"closed": None},
        ],
    },
    {
        "name": "reports: on a clean way one copy, and every fourth frame as a datagram after it",
        "role": "client", "max_datagram": 1169,
        "steps": [
            *LIVE,
            {"at": 100, "send": TYPING, "times": 190}, {"at": 100, "poll_count": 190},
            {"counters": {"datagrams_sent": 198, "copies_sent": 8, "copies": 9}},
            {"at": 300, "receive": ["datagram", [1, 0, 0, report(197, 0, 0, 1, 1)]]},
            {"counters": {"reports_received": 1, "copies": 1,
                          "copies_useful": 1, "copies_wasted": 1}},
            {"at": 300, "send": send(M1)}, {"timer": 0}, {"at": 300, "poll": ...},
            {"timer": 25300},
            {"at": 301, "send": send(M2)}, {"at": 301, "poll": ...},
            {"at": 302, "send": send(M3)}, {"at": 302, "poll": ...},
            {"at": 303, "send": send(M1, B)}, {"at": 303, "poll": ...},
            {"timer": 318}, {"at": 317, "poll": ...}, {"at": 318, "poll": ...},
            {"timer": 25303},
            {"counters": {"copies_sent": 9}},
            {"at": 600000, "receive": ["stream", [PONG]]},
            {"at": 600000, "send": send(M2, B)}, {"at": 600000, "poll": ...},
            {"counters": {"copies": 9}},
        ],
    },
    {
        "name": "reports: bursts of loss bring many copies, close at first, then further apart",
        "role": "client", "max_datagram": 1169,
        "steps": [
            *LIVE,
            {"at": 100, "send": TYPING, "times": 40}, {"at": 100, "poll_count": 40},
            {"at": 300, "receive": ["datagram", [1, 0, 0, report(40, 6, 2)]]},
            {"counters": {"copies": 12}},
            {"at": 300, "send": send(M1)}, {"at": 300, "poll": ...},
            *(
                step
                for at in (305, 310, 315, 320, 325, 331, 338, 347, 359, 373, 389)
                for step in ({"timer": at}, {"at": at, "poll": ...})
            ),
            {"timer": 25300},
        ],
    },
    {
        "name": "reports: old and impossible ones count for nothing",
        "role": "client", "max_datagram": 1169,
        "steps": [
            *LIVE,
            {"at": 100, "send": TYPING, "times": 40}, {"at": 100, "poll_count": 40},
            {"at": 300, "receive": ["datagram", [1, 0, 0, report(49, 6, 2)]]},
            {"at": 301, "receive": ["datagram", [2, 0, 0, report(40, 41, 2)]]},
            {"at": 302, "receive": ["datagram", [3, 0, 0, report(40, 2, 3)]]},
            {"at": 303, "receive": ["datagram", [5, 0, 0, report(40, 1, 1)]]},
            {"at": 304, "receive": ["datagram", [4, 0, 0, report(30, 9, 1)]]},
            {"at": 305, "receive": ["datagram", [6, 0, 0, report(42, 0, 0)]]},
            {"counters": {"reports_received": 1, "copies": 8}}, {"closed": None},
        ],
    },
    {
        "name": "reports: over the budget a frame goes by the stream alone",
        "role": "client", "max_datagram": 1169,
        "steps": [
            *LIVE,
            {"at": 100, "send": send(M1, text="x" * 1000), "times": 40},
            # Seven frames have all their copies, the eighth five, the others the stream alone.
            {"at": 100, "poll_count": 8},
            {"counters": {"copies_unpaid": 259}},
            *(
                {"at": at, "poll_count": count}
                for at, count in [
                    (105, 7), (107, 33), (110, 7), (115, 7), (116, 1), (123, 7), (128, 1),
                    (133, 7), (144, 1), (146, 7), (163, 7), (164, 1), (183, 7),
                ]
            ),
            {"timer": 25100},
        ],
    },
    {
        "name": "reports: over messages one changes nothing",
        "role": "server", "max_datagram": None,
        "steps": [
            {"at": 0, "receive": ["message", hello()]},
            {"at": 1, "receive": ["message", report(5, 1, 1)], "frames": []},
            {"closed": None}, {"counters": {"reports_received": 0, "copies": 0}},
        ],
    },
    {
        "name": "reports: one before hello on the stream is a fault",
        "role": "server", "max_datagram": 1169,
        "steps": [
            {"at": 1, "receive": ["stream", [report(5, 1, 1)]], "frames": []},
            {"closed": [4200, False]},
        ],
    },
    *(
        {
            "name": f"lane: {name}",
            "role": "server", "max_datagram": 1169,
            "steps": [
                {"at": 1, "receive": [via, data], "frames": []},
                {"closed": [code, False]},
            ],
        }
        for name, via, data, code in [
            ("an empty datagram", "datagram", "", 4200),
            ("a datagram without its number", "datagram", "01", 4200),
            ("a datagram without back", "datagram", "0105", 4200),
            ("back as large as the number", "datagram", "010505920d01", 4200),
            ("back on an ephemeral frame", "datagram", "010001920d01", 4200),
            ("a datagram numbered 0", "datagram", "000100920d01", 4200),
            ("a datagram numbered 2^53", "datagram", "c0200000000000000100920d01", 4200),
            ("a record that is too long", "stream", "80010001", 4201),
            ("an empty record", "stream", "00", 4200),
        ]
    ),
]  # fmt: skip

CHOICES = [
    (lost, again)
    for lost in (0.0, 0.003, 0.0031, 0.01, 0.03, 0.05, 0.2, 1.0)
    for again in (0.0, 0.05, 0.125, 0.3, 0.6, 0.9, 1.0)
]
"""(p, q), none so near to a threshold that rounding could matter."""

# Per name: (seq, ms) as the datagrams come.
ARRIVALS: dict[str, list[tuple[int, int]]] = {
    "none lost, a little out of order": [
        (seq, 20 * n) for n, seq in enumerate([1, 3, 2, 4, 6, 5, *range(7, 40)])
    ],
    "one by one and in runs": [
        (seq, 20 * seq) for seq in range(1, 120) if seq not in (5, 20, 21, 22, 40, 42, 44, 45)
    ],
    "thin": [(1, 0), (2, 15), (4, 5000), (5, 5015), (7, 9000), (9, 9600), (10, 9900)],
    "late": [(1, 0), (3, 10), (4, 400), (2, 500), (5, 800), (6, 1200)],
    "a jump": [(1, 0), (66, 1), (67, 2), (132, 3), (1000, 4), (1001, 5), (2**53 - 1, 6), (900, 7)],
    "nothing at first": [(90, 0), (91, 300), (92, 600)],
}

# Per name: ("report", upto, lost, runs, ms) and ("look", ms).
REPORTS: dict[str, list[tuple[Any, ...]]] = {
    "without evidence": [("look", 0), ("look", 100_000)],
    "clean, then forgotten": [
        ("report", 100, 0, 0, 1000), ("look", 1000), ("report", 400, 0, 0, 2000), ("look", 2500),
        ("look", 62_500), ("look", 3_600_000),
    ],
    "bursts": [
        step
        for n in range(1, 30)
        for step in (("report", 20 * n, n, (2 * n + 4) // 5, 250 * n), ("look", 250 * n))
    ],
    "bad for a while": [
        ("report", 2000, 0, 0, 20_000), ("look", 20_000), ("report", 2040, 2, 1, 21_000),
        ("look", 21_000), ("report", 2400, 2, 1, 25_000), ("look", 25_000),
    ],
    "old and impossible": [
        ("report", 50, 5, 5, 1000), ("report", 50, 6, 5, 1001), ("report", 40, 5, 5, 1002),
        ("report", 60, 16, 6, 1003), ("report", 60, 4, 4, 1004), ("report", 60, 6, 7, 1005),
        ("look", 1006), ("report", 60, 15, 6, 1007), ("look", 1007),
    ],
}  # fmt: skip

VARINTS = [0, 1, 63, 64, 16383, 16384, 2**30 - 1, 2**30, 2**53 - 1, 2**62 - 1]


def raw_hex(value: Any) -> str:
    return msgspec.msgpack.encode(value).hex()


def record(frame: dict[str, Any]) -> bytes:
    data = codec.encode(frame_from_json(frame))
    return varint.encode(len(data)) + data


def resolve_receive(via: str, what: Any) -> tuple[str, list[dict[str, Any]]]:
    """The bytes of a readable `receive`, and the frames in it."""
    if isinstance(what, str):
        return what, []
    if via == "message":
        return codec.encode(frame_from_json(what)).hex(), [what]
    if via == "stream":
        return b"".join(map(record, what)).hex(), list(what)
    seq, number, back, frame = what
    header = varint.encode(seq) + varint.encode(number) + varint.encode(back)
    return (header + codec.encode(frame_from_json(frame))).hex(), [frame]


def run(script: dict[str, Any]) -> dict[str, Any]:
    """Fill in the `...` of a script with what the machine really says."""
    machine = Script(script["role"], script["max_datagram"])
    script["steps"] = [dict(step) for step in script["steps"]]
    for step in script["steps"]:
        if "receive" in step:
            via, what = step["receive"]
            step["receive"] = [via, resolve_receive(via, what)[0]]
            got = machine.receive(step["at"], *step["receive"])
            if "frames" in step:
                assert got == step["frames"], (script["name"], step, got)
            step["frames"] = got
        elif step.get("poll") is ...:
            step["poll"] = machine.poll(step["at"])
        else:
            machine.step(step)
    return script


def measured(arrivals: list[tuple[int, int]]) -> list[list[Any]]:
    """Each arrival with what the meter says after it: [seq, ms, upto, lost, runs, report due]."""
    meter = LossMeter()
    out: list[list[Any]] = []
    for seq, at in arrivals:
        meter.note(seq, at / 1000 + 1e-9)
        due = meter.due(at / 1000 + 1e-9)
        out.append([seq, at, meter.upto, meter.lost, meter.runs, due])
    return out


def estimated(steps: list[tuple[Any, ...]]) -> list[list[Any]]:
    """Each report with whether it counts, each look with (p, q)."""
    estimate = LossEstimate()
    out: list[list[Any]] = []
    for what, *values, at in steps:
        if what == "report":
            out.append([what, *values, at, estimate.report(*values, at / 1000)])
        else:
            out.append([what, at, *estimate.loss(at / 1000)])
    return out


def write(name: str, value: Any) -> None:
    (HERE / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    write("varint.json", [
        {"value": v if v < 2**53 else str(v), "hex": varint.encode(v).hex()} for v in VARINTS
    ])  # fmt: skip
    write("frames.json", {
        "valid": [
            {"name": n, "frame": f, "hex": codec.encode(frame_from_json(f)).hex()}
            for n, f in VALID.items()
        ],
        "decodes": [{"name": n, "frame": f, "hex": raw_hex(v)} for n, (v, f) in DECODES.items()],
        "invalid": [
            {"name": n, "hex": bytes(v).hex(), "code": 4200} for n, v in INVALID.items()
        ],
    })  # fmt: skip
    for frame in VALID.values():
        assert frame_to_json(frame_from_json(frame)) == frame, frame
    write("hedge.json", {
        "plans": [
            {"stream": p.stream, "gaps": [round(gap * 1000) for gap in p.gaps]} for p in hedge.PLANS
        ],
        "choices": [[*choice, hedge.plan(Loss(*choice)).copies] for choice in CHOICES],
        "meter": [{"name": n, "steps": measured(a)} for n, a in ARRIVALS.items()],
        "estimate": [{"name": n, "steps": estimated(s)} for n, s in REPORTS.items()],
    })  # fmt: skip
    write("machine.json", [run(script) for script in SCRIPTS])


if __name__ == "__main__":
    main()
