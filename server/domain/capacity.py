"""How many open conversations an agent may have at once, in the agent's settings. Pure.

What holds always: `capacity(with_capacity(settings, n)) == n`, and what else the settings say
stays; settings that cannot be read mean no limit.
May import: nothing above.
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_CAPACITY = 1_000
"""More than anybody can talk to, and few enough to be looked at one by one."""
_KEY = "capacity"


def capacity(settings: str) -> int | None:
    """The limit; None for no limit."""
    value = _read(settings).get(_KEY)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_CAPACITY else None


def with_capacity(settings: str, value: int | None) -> str:
    """The settings with this limit."""
    rest = {name: kept for name, kept in _read(settings).items() if name != _KEY}
    if value is not None:
        rest[_KEY] = value
    return msgspec.json.encode(rest).decode()


def _read(settings: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(settings, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
