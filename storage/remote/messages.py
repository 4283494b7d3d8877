"""What crosses between the seams in one process and the store in another: calls, and answers.

The signatures in base.py are the format: a method of a seam is a call with its arguments in order,
and its return annotation says how the value is read. So a method added to a seam is carried here
without another line.

What holds always: an exception of base.py, or a ValueError, comes out as it went in; any other is
the store's own fault and comes out as StorageError.
May import: base.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from storage.base import (
    Directory,
    Journal,
    MessageLog,
    Missing,
    NotUnique,
    Search,
    StorageError,
    StoreBusy,
    StoreFull,
    StoreUnavailable,
)

FAULTS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (StoreFull, StoreUnavailable, NotUnique, Missing, StorageError, ValueError)
}
"""StoreBusy is beside them: it carries a number."""


class Call(Struct, frozen=True, array_like=True):
    """`id` names the call among those under way on a connection."""

    id: int
    method: str
    arguments: Raw


class Done(Struct, frozen=True, array_like=True, tag=0):
    """The call returned `value`."""

    id: int
    value: Raw


class Failed(Struct, frozen=True, array_like=True, tag=1):
    """The call raised."""

    id: int
    kind: str
    reason: str
    retry_after: float = 0.0


class Method(Struct, frozen=True):
    """How one method's arguments and value are read."""

    name: str
    parameters: tuple[str, ...]
    arguments: msgspec.msgpack.Decoder[Any]
    value: msgspec.msgpack.Decoder[Any]


encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
decode_call: Callable[[bytes], Call] = msgspec.msgpack.Decoder(Call).decode
decode_answer: Callable[[bytes], Done | Failed] = msgspec.msgpack.Decoder(Done | Failed).decode


def failed(id: int, error: Exception) -> Failed:
    """What is told of an exception."""
    if isinstance(error, StoreBusy):
        return Failed(id, "StoreBusy", "", error.retry_after)
    kind = type(error).__name__
    return Failed(id, kind if kind in FAULTS else StorageError.__name__, str(error))


def raised(answer: Failed) -> Exception:
    """The exception that was told of."""
    if answer.kind == "StoreBusy":
        return StoreBusy(answer.retry_after)
    return FAULTS.get(answer.kind, StorageError)(answer.reason)


def _method(name: str, function: Callable[..., Any]) -> Method:
    hints = typing.get_type_hints(function)
    returns = hints.pop("return")
    parameters = tuple(inspect.signature(function).parameters)[1:]
    fields = [(parameter, hints[parameter]) for parameter in parameters]
    arguments = msgspec.defstruct(name, fields, array_like=True)
    return Method(
        name, parameters, msgspec.msgpack.Decoder(arguments), msgspec.msgpack.Decoder(returns)
    )


def table(*seams: type) -> dict[str, Method]:
    """All that can be called of these seams. `close` is each side's own affair."""
    return {
        name: _method(name, function)
        for seam in seams
        for name, function in inspect.getmembers(seam, inspect.iscoroutinefunction)
        if name != "close"
    }


METHODS = table(MessageLog, Directory, Search, Journal)
