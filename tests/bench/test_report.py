"""Results: kept, shown, drawn."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from bench import report
from bench.report import Mark, Plot, Result, Series, Table
from bench.report.output import shown
from bench.report.page import page
from bench.report.statistics import MAX_POINTS, TAIL, cdf, mean, quantile

RESULT = Result(
    scenario="latency",
    profile="lossy-3",
    command="tradewind bench latency --profile lossy-3",
    summary="A <b>small</b> run.",
    notes=("hedged: this & that",),
    tables=(
        Table("One way", ("peer", "p99", "missing"), (("hedged", 123.4, 0), ("tcp", None, 3))),
    ),
    plots=(
        Plot(
            title="CDF",
            kind="steps",
            scale_x="log",
            scale_y="tail",
            series=(
                Series("hedged", (0.25, 0.5, 0.75, 0.999), (101, 102, 105, 130)),
                Series("tcp", (0.25, 0.5, 0.75, 0.999), (101, 109, 310, 700)),
            ),
            marks=(Mark("way", 100),),
        ),
        Plot(
            title="Bars",
            kind="bars",
            scale_y="log",
            labels=("p50", "p99"),
            series=(Series("hedged", (105, 130)), Series("tcp", (105, 700))),
        ),
        Plot(title="Line", kind="line", series=(Series("memory", (1, 2), (3, 4)),)),
        Plot(
            title="Dots",
            kind="points",
            series=(Series("arrivals", (1, 2), (3, 4)),),
            marks=(Mark("two trips", 1.5, "y"),),
        ),
    ),
)


class Sources(HTMLParser):
    """What a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.svgs = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.svgs += tag == "svg"
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not (value or "").startswith("#"):
                self.loads.append(f"{tag} {value}")


def test_what_is_kept_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "result.json"
    report.finish(RESULT, json=file)
    assert report.read(file) == RESULT
    printed = capsys.readouterr().out
    assert "hedged" in printed
    assert "123" in printed


def test_the_page_has_everything_and_loads_nothing() -> None:
    html = page(RESULT)
    seen = Sources()
    seen.feed(html)
    assert seen.loads == []
    assert seen.svgs == len(RESULT.plots)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "A &lt;b&gt;small&lt;/b&gt; run." in html
    assert "this &amp; that" in html
    assert RESULT.command in html
    assert "<td>123</td>" in html


def test_the_terminal_shows_a_dash_for_what_is_not_there() -> None:
    console = Console(record=True, width=100)
    report.show(RESULT, console)
    text = console.export_text()
    assert re.search(r"tcp.*–.*3", text)


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, "–"), ("x", "x"), (3, "3"), (123_456, "123,456"), (0.1234, "0.12"), (12.34, "12.3"),
     (123.4, "123"), (12_345.6, "12,346"), (0.0, "0.00")],
)  # fmt: skip
def test_cells(cell: report.Cell, text: str) -> None:
    assert shown(cell) == text


def test_quantiles_lie_between_their_neighbours() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1.0], 0.99) == 1.0
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert quantile([0.0, 10.0], 0.25) == 2.5
    assert quantile(list(map(float, range(101))), 0.99) == 99.0
    assert mean([]) is None
    assert mean([1.0, 2.0]) == 1.5


def test_a_curve_is_thinned_but_for_its_tail() -> None:
    values = [float(n) for n in range(100_000)]
    x, y = cdf(values)
    assert len(x) == len(y) <= 2 * MAX_POINTS + TAIL
    assert list(x[-TAIL:]) == values[-TAIL:]
    assert list(y) == sorted(y)
    assert y[-1] < 1
