"""What is learnt of connections: histograms, and a bounded look at those that live."""

from __future__ import annotations

from pathlib import Path

from tests.transport.support.echo import connected, echo, served, until
from tests.transport.support.line import Line
from transport.quic.insight import SAMPLE, Histogram, Insight, Vitals


class Living:
    """Something to look at."""

    def __init__(self, vitals: Vitals) -> None:
        self.looks = 0
        self._vitals = vitals

    def vitals(self) -> Vitals:
        self.looks += 1
        return self._vitals


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.buckets() == [("1.0", 2.0), ("2.0", 3.0), ("+Inf", 4.0)]
    assert histogram.total == 12.0


def test_those_that_live_are_looked_at_in_turns() -> None:
    insight = Insight()
    living = [Living(Vitals(0.1, 0, 0, 0)) for _ in range(SAMPLE + 10)]
    insight.sample(living, len(living))
    assert sum(one.looks for one in living) == SAMPLE
    insight.sample(living, len(living))
    assert all(one.looks == 1 for one in living)
    insight.sample(living, len(living))
    assert living[0].looks == 2


def test_a_share_of_few_packets_is_not_counted() -> None:
    insight = Insight()
    insight.ended(Living(Vitals(None, 5, 1, 0)))
    assert insight.histograms["loss_share"].buckets()[-1] == ("+Inf", 0.0)
    insight.ended(Living(Vitals(0.2, 100, 3, 2, 4)))
    assert insight.histograms["loss_share"].buckets()[-1] == ("+Inf", 1.0)
    assert insight.counters() == {
        "quic_ended_packets_sent": 105,
        "quic_ended_packets_lost": 4,
        "quic_ended_datagrams_dropped": 2,
        "quic_ended_stalls": 4,
    }


def test_vitals_of_a_connection(tmp_path: Path) -> None:
    line = Line(tmp_path, delay=0.1)
    rtt = line.client.vitals().rtt
    assert rtt is not None
    assert 0.19 < rtt < 0.25
    before = line.client.vitals()
    line.cut = {line.client}
    line.client.send_datagram_frame(b"lost")
    line.flush()
    line.cut = set()
    for _ in range(4):
        line.client.send_datagram_frame(b"there")
        line.flush()
    line.run(0.5)
    after = line.client.vitals()
    assert after.lost == before.lost + 1
    assert after.sent >= before.sent + 5


async def test_the_server_tells_of_its_connections(tmp_path: Path) -> None:
    async with served(echo, tmp_path) as listening:
        async with connected(listening) as client:
            await client.request("GET", "/")
            histograms = listening.histograms()
            assert histograms["handshake_seconds"].buckets()[-1] == ("+Inf", 1.0)
            assert histograms["rtt_seconds"].buckets()[-1] == ("+Inf", 1.0)
        await until(lambda: listening.stats()["quic_ended_packets_sent"] > 0)
