"""Reading the golden vectors: frames as JSON, and a machine that runs the steps of a script."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from transport.errors import LocalProtocolError, SessionClosed
from transport.wire import codec, varint
from transport.wire.frames import TRAITS, Close, Frame, Position, Resumed
from transport.wire.lane import Via
from transport.wire.machine import Machine, Role

TYPES = {traits.name: kind for kind, traits in TRAITS.items()}
MAPS = {"body", "state", "detail", "params", "value"}
UUIDS = {"client_id", "conversation", "session"}
LISTS = {"resume": Position, "resumed": Resumed}


def _field_from_json(kind: str, name: str, value: Any) -> Any:
    if name in LISTS:
        return tuple(
            LISTS[name](**{n: _field_from_json(kind, n, v) for n, v in item.items()})
            for item in value
        )
    if name in MAPS and isinstance(value, dict):
        return codec.pack(value)
    if name in UUIDS and value is not None:
        return UUID(value)
    return value


def frame_from_json(frame: dict[str, Any]) -> Frame:
    kind = frame["type"]
    fields = {n: _field_from_json(kind, n, v) for n, v in frame.items() if n != "type"}
    return TYPES[kind](**fields)  # type: ignore[return-value]


def _value_to_json(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return msgspec.msgpack.decode(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, tuple):
        return [{f: _value_to_json(getattr(v, f)) for f in v.__struct_fields__} for v in value]
    return value


def frame_to_json(frame: Frame) -> dict[str, Any]:
    fields = {name: _value_to_json(getattr(frame, name)) for name in frame.__struct_fields__}
    return {"type": TRAITS[type(frame)].name, **fields}


class Script:
    """A machine, driven by steps as tests/vectors/README.md describes them."""

    def __init__(self, role: str, max_datagram: int | None) -> None:
        self.machine = Machine(Role(role), 0.0, max_datagram=max_datagram)
        self._late = 0.0

    def receive(self, at: float, via: str, data: str) -> list[dict[str, Any]]:
        frames = self.machine.receive(Via(via), bytes.fromhex(data), at / 1000)
        return [frame_to_json(frame) for frame in frames]

    def poll(self, at: float) -> list[list[str]]:
        # Sums of seconds are not exact: be a little later each time, so that what is due is due.
        self._late += 1e-9
        now = at / 1000 + self._late
        return [[p.via.value, p.data.hex()] for p in self.machine.poll(now)]

    def send(self, step: dict[str, Any]) -> bool:
        """Whether the machine took it."""
        frame = frame_from_json(step["send"])
        try:
            for _ in range(step.get("times", 1)):
                self.machine.send(frame, step["at"] / 1000, hedge=step.get("hedge", True))
        except (LocalProtocolError, SessionClosed):
            return False
        return True

    def step(self, step: dict[str, Any]) -> None:
        """Run one step and check what it says."""
        if "send" in step:
            assert self.send(step) != step.get("error", False)
        elif "receive" in step:
            assert self.receive(step["at"], *step["receive"]) == step["frames"]
        elif "poll" in step:
            assert self.poll(step["at"]) == step["poll"]
        elif "poll_count" in step:
            assert len(self.poll(step["at"])) == step["poll_count"]
        elif "poll_close" in step:
            self._check_close(step["at"], *step["poll_close"])
        elif "close" in step:
            self.machine.close(*step["close"], step["at"] / 1000)
        elif "lost" in step:
            self.machine.lost(step["lost"])
        elif "timer" in step:
            self._check_timer(step["timer"])
        elif "state" in step:
            assert self.machine.state.value == step["state"]
        elif "closed" in step:
            closed = self.machine.closed
            assert (closed and [closed.code, closed.remote]) == step["closed"]
        elif "counters" in step:
            for name, count in step["counters"].items():
                got = getattr(self.machine.counters, name)
                assert got == count, (name, got, count)
        else:
            raise AssertionError(f"unknown step {step}")

    def _check_close(self, at: float, via: str, code: int) -> None:
        ((got_via, data),) = self.poll(at)
        raw = bytes.fromhex(data)
        if via == "stream":
            raw = raw[varint.decode(raw, 0)[1] :]  # type: ignore[index]
        frame = codec.decode(raw)
        assert got_via == via
        assert isinstance(frame, Close)
        assert frame.code == code

    def _check_timer(self, expected: float | None) -> None:
        timer = self.machine.next_timer()
        if timer is None or expected is None:
            assert timer == expected
        else:
            assert abs(timer * 1000 - expected) < 0.01, (timer, expected)
