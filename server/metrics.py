"""What is counted, in the names that operators see at /metrics.

What holds always: label values come from fixed sets (transports, codes, kinds), never from clients.
May import: nothing above; the counters of transport.
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

from transport.quic.insight import Histogram as Learnt
from transport.wire.hedge import MAX_COPIES
from transport.wire.lane import Counters

LANE = (
    "frames_sent",
    "frames_received",
    "datagrams_sent",
    "datagrams_received",
    "first_by_datagram",
    "duplicates",
    "dropped",
    "copies_unpaid",
    "reports_sent",
    "reports_received",
)
"""The counters of the lane that are shown as they are."""
HEDGE = ("sent", "useful", "wasted")
"""What became of our datagram copies: the lane's counters `copies_…`."""
_COUNTED = (*LANE, *(f"copies_{result}" for result in HEDGE))
_LOSS_BOUNDS = (0.003, 0.01, 0.03, 0.1, 1.0)
"""Upper bounds of the loss that live sessions see; the first is what the lane takes as clean."""
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
        self._past = Counters()
        self._lanes: Callable[[], Iterable[Counters]] = tuple
        self._listeners: Callable[[], Mapping[str, int]] = dict
        self._histograms: Callable[[], Mapping[str, Learnt]] = dict
        self.registry.register(_Live(self))

    def watch(
        self,
        *,
        lanes: Callable[[], Iterable[Counters]] | None = None,
        listeners: Callable[[], Mapping[str, int]] | None = None,
        histograms: Callable[[], Mapping[str, Learnt]] | None = None,
    ) -> None:
        """Say where what lives elsewhere is read when somebody asks."""
        self._lanes = lanes or self._lanes
        self._listeners = listeners or self._listeners
        self._histograms = histograms or self._histograms

    def ended(self, counters: Counters, code: str) -> None:
        """Count a session that is over."""
        self.closed.labels(code).inc()
        _add(self._past, counters)

    def text(self) -> bytes:
        """The Prometheus text."""
        return generate_latest(self.registry)

    async def gather(self) -> bytes:
        """The text of all workers, where there is only this one."""
        return self.text()

    def families(self) -> Iterator[Metric]:
        """What is read when somebody asks."""
        total = Counters()
        live = list(self._lanes())
        for counters in (self._past, *live):
            _add(total, counters)
        lane = CounterMetricFamily("tradewind_lane", "What the lanes did", labels=["what"])
        for name in LANE:
            lane.add_metric([name], getattr(total, name))
        yield lane
        yield from _hedging(total, live)
        listener = GaugeMetricFamily("tradewind_listener", "The listeners' own", labels=["what"])
        for name, value in self._listeners().items():
            listener.add_metric([name], value)
        yield listener
        for name, learnt in self._histograms().items():
            family = HistogramMetricFamily(f"tradewind_quic_{name}", "Of QUIC connections")
            family.add_metric([], learnt.buckets(), learnt.total)
            yield family


class _Live(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()


def _add(total: Counters, counters: Counters) -> None:
    for name in _COUNTED:
        setattr(total, name, getattr(total, name) + getattr(counters, name))


def _hedging(total: Counters, live: Iterable[Counters]) -> Iterator[Metric]:
    """What copies were for, and what the sessions with datagrams see and plan now."""
    copies = CounterMetricFamily(
        "tradewind_hedge_copies",
        "Datagram copies of frames, and what came of them",
        labels=["result"],
    )
    for result in HEDGE:
        copies.add_metric([result], getattr(total, f"copies_{result}"))
    yield copies
    hedged = [counters for counters in live if counters.copies]
    loss = GaugeMetricFamily(
        "tradewind_hedge_loss",
        "Live sessions that see at most this loss towards their peer",
        labels=["upto"],
    )
    for bound in _LOSS_BOUNDS:
        loss.add_metric([str(bound)], sum(counters.loss <= bound for counters in hedged))
    yield loss
    plans = GaugeMetricFamily(
        "tradewind_hedge_plan",
        "Live sessions by copies of a frame, the stream's included",
        labels=["copies"],
    )
    for number in range(1, MAX_COPIES + 1):
        plans.add_metric([str(number)], sum(c.copies == number for c in hedged))
    yield plans
