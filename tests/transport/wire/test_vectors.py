"""The golden vectors of tests/vectors, run by the Python implementation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2] / "vectors"
sys.path.insert(0, str(VECTORS))

from vectors import Script, frame_from_json, frame_to_json  # noqa: E402

from transport.errors import RemoteProtocolError  # noqa: E402
from transport.wire import codec, varint  # noqa: E402


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


FRAMES = load("frames.json")


@pytest.mark.parametrize("case", load("varint.json"), ids=lambda case: str(case["value"]))
def test_varint(case: dict[str, Any]) -> None:
    value, data = int(case["value"]), bytes.fromhex(case["hex"])
    assert varint.encode(value) == data
    assert varint.decode(data, 0) == (value, len(data))
    assert varint.decode(data[:-1], 0) is None


@pytest.mark.parametrize("value", [-1, 2**62])
def test_varint_refuses_what_does_not_fit(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        varint.encode(value)


@named(FRAMES["valid"])
def test_valid_frame(case: dict[str, Any]) -> None:
    frame = frame_from_json(case["frame"])
    assert codec.encode(frame).hex() == case["hex"]
    assert frame_to_json(codec.decode(bytes.fromhex(case["hex"]))) == case["frame"]


@named(FRAMES["decodes"])
def test_frame_written_otherwise(case: dict[str, Any]) -> None:
    assert frame_to_json(codec.decode(bytes.fromhex(case["hex"]))) == case["frame"]


@named(FRAMES["invalid"])
def test_invalid_frame(case: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode(bytes.fromhex(case["hex"]))
    assert caught.value.code == case["code"]


@named(load("machine.json"))
def test_machine(case: dict[str, Any]) -> None:
    script = Script(case["role"], case["max_datagram"])
    for step in case["steps"]:
        script.step(step)
