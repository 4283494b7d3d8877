"""A plot as SVG text, by matplotlib.

May import: record.
"""

from __future__ import annotations

import io
from typing import Any

from bench.report.record import Plot

_TAIL = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
"""Shares that are written at the axis of a CDF's tail."""


class PlotsUnavailable(Exception):
    """There is no matplotlib. The message says how to get it."""


def svg(plot: Plot) -> str:
    """The drawing. Raises PlotsUnavailable."""
    figure, axes = _canvas()
    _DRAW[plot.kind](axes, plot)
    axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
    if plot.scale_x == "log":
        axes.set_xscale("log")
    if plot.scale_y == "log":
        axes.set_yscale("log")
    if plot.scale_y == "tail":
        _tail(axes, plot)
    _marks(axes, plot)
    axes.grid(True, which="both", alpha=0.25)
    if len(plot.series) > 1 or plot.marks:
        axes.legend(frameon=False, fontsize="small")
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _canvas() -> tuple[Any, Any]:
    try:
        # The figure by itself, without pyplot: no global state, no display.
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise PlotsUnavailable("HTML needs matplotlib: pip install 'tradewind[bench]'") from None
    figure = Figure(figsize=(9, 4.5))
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _lines(axes: Any, plot: Plot) -> None:
    for series in plot.series:
        axes.plot(series.x, series.y, label=series.name)


def _steps(axes: Any, plot: Plot) -> None:
    for series in plot.series:
        axes.step(series.x, series.y, where="post", label=series.name)


def _points(axes: Any, plot: Plot) -> None:
    for series in plot.series:
        axes.plot(series.x, series.y, ".", markersize=3, alpha=0.6, label=series.name)


def _bars(axes: Any, plot: Plot) -> None:
    width = 0.8 / max(1, len(plot.series))
    for number, series in enumerate(plot.series):
        at = [
            group + (number - (len(plot.series) - 1) / 2) * width for group in range(len(series.y))
        ]
        axes.bar(at, series.y, width, label=series.name)
    axes.set_xticks(range(len(plot.labels)), plot.labels)


_DRAW = {"line": _lines, "steps": _steps, "points": _points, "bars": _bars}


def _tail(axes: Any, plot: Plot) -> None:
    """Stretch the y axis towards 1, so that each further nine takes the same room."""
    axes.set_yscale("function", functions=(_nines, _share))
    top = max((share for series in plot.series for share in series.y), default=0.99)
    shares = [share for share in _TAIL if share <= top]
    axes.set_ylim(0, top)
    axes.set_yticks(shares, [f"{share * 100:g} %" for share in shares])
    axes.minorticks_off()


def _nines(share: Any) -> Any:
    import numpy

    return -numpy.log10(numpy.clip(1 - share, 1e-9, None))


def _share(nines: Any) -> Any:
    return 1 - 10.0**-nines


def _marks(axes: Any, plot: Plot) -> None:
    for mark in plot.marks:
        line = axes.axvline if mark.axis == "x" else axes.axhline
        line(mark.at, color="black", linestyle=":", linewidth=1, label=mark.label)
