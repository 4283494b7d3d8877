"""What is counted, in the names that operators see at /metrics.

What holds always: label values come from fixed sets (transports, codes, kinds), never from clients;
showing them never holds the loop up for long, however many sessions there are (census.py).
May import: census; the counters of transport.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from server.census import HEDGE, LANE, LOSS_BOUNDS, Census, Count
from transport.quic.insight import Histogram as Learnt
from transport.wire.lane import Counters

_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metrics:
    """One process's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sessions = Gauge(
            "tradewind_sessions", "Live sessions", ["transport", "role"], registry=self.registry
        )
        self.closed = Counter(
            "tradewind_sessions_closed", "Sessions that ended", ["code"], registry=self.registry
        )
        self.accepted = Counter(
            "tradewind_entries_accepted", "Entries on disk", ["kind"], registry=self.registry
        )
        self.refused = Counter(
            "tradewind_refusals", "Commands not carried out", ["code"], registry=self.registry
        )
        self.append = Histogram(
            "tradewind_append_seconds",
            "From asking for an append to its commit",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._pauses = Histogram(
            "tradewind_gc_pause_seconds",
            "Collections of garbage, each of which stopped everything",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.paused: Callable[[float], None] = self._pauses.observe
        """To be told the seconds of each."""
        self._census = Census()
        self._listeners: Callable[[], Mapping[str, int]] = dict
        self._histograms: Callable[[], Mapping[str, Learnt]] = dict
        self._counts: Callable[[], Mapping[str, Mapping[str, int]]] = dict

    def watch(
        self,
        *,
        lanes: Callable[[], Iterable[Counters]] | None = None,
        listeners: Callable[[], Mapping[str, int]] | None = None,
        histograms: Callable[[], Mapping[str, Learnt]] | None = None,
        counts: Callable[[], Mapping[str, Mapping[str, int]]] | None = None,
    ) -> None:
        """Say where what lives elsewhere is read when somebody asks.

        `counts` is by part (the bus, the jobs) and by what happened there, since the start.
        """
        self._census.live = lanes or self._census.live
        self._listeners = listeners or self._listeners
        self._histograms = histograms or self._histograms
        self._counts = counts or self._counts

    def ended(self, counters: Counters, code: str) -> None:
        """Count a session that is over."""
        self.closed.labels(code).inc()
        self._census.ended(counters)

    async def text(self) -> bytes:
        """The Prometheus text."""
        read = CollectorRegistry()
        read.register(_Read([*_lanes(await self._census.take()), *self._elsewhere()]))
        return generate_latest(self.registry) + generate_latest(read)

    def _elsewhere(self) -> Iterator[Metric]:
        listener = GaugeMetricFamily("tradewind_listener", "The listeners' own", labels=["what"])
        for name, value in self._listeners().items():
            listener.add_metric([name], value)
        yield listener
        for name, learnt in self._histograms().items():
            family = HistogramMetricFamily(f"tradewind_quic_{name}", "Of QUIC connections")
            family.add_metric([], learnt.buckets(), learnt.total)
            yield family
        for part, counts in self._counts().items():
            counter = CounterMetricFamily(
                f"tradewind_{part}", f"What happened to the {part}", labels=["what"]
            )
            for what, value in counts.items():
                counter.add_metric([what], value)
            yield counter


class _Read(Collector):
    """What was read because somebody asked."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _lanes(count: Count) -> Iterator[Metric]:
    """What the lanes did, what copies were for, and what sessions with datagrams see and plan."""
    lane = CounterMetricFamily("tradewind_lane", "What the lanes did", labels=["what"])
    for name in LANE:
        lane.add_metric([name], count.total[name])
    yield lane
    copies = CounterMetricFamily(
        "tradewind_hedge_copies",
        "Datagram copies of frames, and what came of them",
        labels=["result"],
    )
    for result in HEDGE:
        copies.add_metric([result], count.total[f"copies_{result}"])
    yield copies
    loss = GaugeMetricFamily(
        "tradewind_hedge_loss",
        "Live sessions that see at most this loss towards their peer",
        labels=["upto"],
    )
    for bound, sessions in zip(LOSS_BOUNDS, count.loss, strict=True):
        loss.add_metric([str(bound)], sessions)
    yield loss
    plans = GaugeMetricFamily(
        "tradewind_hedge_plan",
        "Live sessions by copies of a frame, the stream's included",
        labels=["copies"],
    )
    for number, sessions in enumerate(count.plans, 1):
        plans.add_metric([str(number)], sessions)
    yield plans
