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
from transport.wire import codec, hedge, varint  # noqa: E402
from transport.wire.loss import Loss, LossEstimate, LossMeter  # noqa: E402


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


HEDGE = load("hedge.json")


def test_plans() -> None:
    assert [plan.stream for plan in hedge.PLANS] == [case["stream"] for case in HEDGE["plans"]]
    gaps = [[gap * 1000 for gap in plan.gaps] for plan in hedge.PLANS]
    assert gaps == [pytest.approx(case["gaps"]) for case in HEDGE["plans"]]


@pytest.mark.parametrize("case", HEDGE["choices"], ids=str)
def test_choice(case: list[Any]) -> None:
    assert hedge.plan(Loss(*case[:2])).copies == case[2]


@named(HEDGE["meter"])
def test_meter(case: dict[str, Any]) -> None:
    meter = LossMeter()
    for seq, at, *counts, due in case["steps"]:
        now = at / 1000 + 1e-9  # So that 250 ms later is not a little less.
        meter.note(seq, now)
        assert [meter.upto, meter.lost, meter.runs] == counts
        assert meter.due(now) == due


@named(HEDGE["estimate"])
def test_estimate(case: dict[str, Any]) -> None:
    estimate = LossEstimate()
    for what, *values in case["steps"]:
        if what == "report":
            *counts, at, taken = values
            assert estimate.report(*counts, at / 1000) == taken
        else:
            at, *loss = values
            assert estimate.loss(at / 1000) == pytest.approx(loss, abs=1e-9)


@named(load("machine.json"))
def test_machine(case: dict[str, Any]) -> None:
    script = Script(case["role"], case["max_datagram"])
    for step in case["steps"]:
        script.step(step)
