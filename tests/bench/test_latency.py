"""The latency scenario, small: real servers and clients over a real emulated network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import report
from bench.network import NetworkUnavailable, Shape, kernel
from bench.peers.base import PeerError
from bench.peers.exchange import Load, Outcome
from bench.peers.table import PEERS, peer
from bench.profiles import Profile
from bench.scenarios import latency
from server.cli import cli

NEAR = Shape(delay=0.02, jitter=0.002, loss=0.05)
QUICK = Profile(name="quick", about="40 ms RTT", basis="A test.", up=NEAR, down=NEAR)
LOAD = Load(sessions=2, messages=5, warm_up=1, rate=4.0)


async def small(*names: str) -> tuple[dict[str, Outcome], report.Result]:
    chosen = [peer(name) for name in names]
    outcomes = await latency.run(QUICK, LOAD, chosen)
    for outcome in outcomes.values():
        for delays in (outcome.up, outcome.down):
            assert len(delays) == LOAD.sessions * LOAD.messages
            assert delays[0] >= NEAR.delay * 1000
        assert outcome.missing_up == outcome.missing_down == 0
        assert outcome.exchanged == 2 * LOAD.sent
        assert outcome.link.up.bytes > LOAD.sent * LOAD.size
    return outcomes, latency.result(QUICK, LOAD, chosen, outcomes)


@pytest.mark.usefixtures("linux_root")
async def test_this_server_hedged_and_by_the_stream_alone() -> None:
    outcomes, result = await small("hedged", "stream")
    assert outcomes["hedged"].link.up.packets > outcomes["stream"].link.up.packets
    assert [row[0] for row in result.tables[0].rows] == ["hedged", "stream"]
    assert [plot.kind for plot in result.plots] == ["steps", "steps", "bars", "bars"]


@pytest.mark.usefixtures("linux_root")
async def test_a_plain_websocket_server() -> None:
    await small("websockets")


@pytest.mark.usefixtures("linux_root")
@pytest.mark.skipif(shutil.which("npm") is None, reason="Socket.IO needs Node and npm")
async def test_socketio_is_measured_by_its_own_client() -> None:
    await small("socketio")


def test_an_unknown_peer_lists_those_there_are() -> None:
    with pytest.raises(PeerError, match=r"hedged.*socketio"):
        peer("smoke-signals")
    assert all(name == each.name for name, each in PEERS.items())


def test_mistakes_end_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def no() -> None:
        raise NetworkUnavailable("network namespaces need root: run this with sudo")

    monkeypatch.setattr(kernel, "require", no)
    for arguments, sentence in (
        (["latency", "--profile", "nowhere"], "no profile"),
        (["latency", "--peers", "nobody"], "no peer"),
        (["latency"], "run this with sudo"),
        (["link"], "run this with sudo"),
    ):
        outcome = CliRunner().invoke(cli, ["bench", *arguments])
        assert outcome.exit_code == 2, outcome.output
        assert sentence in outcome.output.replace("\n", " ")


def test_a_kept_result_is_drawn_again(tmp_path: Path) -> None:
    kept, drawn = tmp_path / "kept.json", tmp_path / "drawn.html"
    report.finish(report.Result(scenario="latency", command="x", summary="It was so."), json=kept)
    outcome = CliRunner().invoke(cli, ["bench", "report", str(kept), "--html", str(drawn)])
    assert outcome.exit_code == 0
    assert "It was so." in drawn.read_text()


def test_the_networks_are_listed() -> None:
    outcome = CliRunner().invoke(cli, ["bench", "profiles"], env={"COLUMNS": "200"})
    assert outcome.exit_code == 0
    assert "cn-br-mobile" in outcome.output
