"""A result as one HTML page with its plots inside.

What holds always: the page loads nothing from anywhere, so it can be mailed and opened years later;
all text of the result is escaped.
May import: record, output's `shown`, plots.
"""

from __future__ import annotations

from html import escape

from bench.report.output import shown
from bench.report.plots import svg
from bench.report.record import Result, Table

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2rem } .about { opacity: .7; margin-top: 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #8884; text-align: right }
th:first-child, td:first-child { text-align: left }
pre { padding: .7rem 1rem; background: #8881; overflow-x: auto } figure { margin: 2rem 0 }
figure svg { max-width: 100%; height: auto; background: white; border-radius: 6px }
.wide { overflow-x: auto }
"""


def page(result: Result) -> str:
    """The whole page. Raises PlotsUnavailable when there are plots and no matplotlib."""
    title = f"{result.scenario} {result.profile}".strip()
    machine = result.machine
    about = (
        f"{result.at} · {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.kernel}, "
        f"Python {machine.python}, load {machine.load:g} before"
    )
    parts = [
        f"<h1>{escape(title)}</h1><p class=about>{escape(about)}</p>",
        f"<pre>{escape(result.command)}</pre>",
        f"<p>{escape(result.summary)}</p>" if result.summary else "",
        *map(_table, result.tables),
        *(f"<figure>{svg(plot)}</figure>" for plot in result.plots),
        _notes(result.notes),
    ]
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
    viewport = '<meta name=viewport content="width=device-width">'
    body = "\n".join(filter(None, parts))
    html = f"<html lang=en><head>{head}{viewport}</head><body>\n{body}\n</body></html>"
    return f"<!doctype html>{html}\n"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(shown(cell))}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    note = f"<p class=about>{escape(table.note)}</p>" if table.note else ""
    grid = f"<div class=wide><table><tr>{head}</tr>{rows}</table></div>"
    return f"<h2>{escape(table.title)}</h2>{grid}{note}"


def _notes(notes: tuple[str, ...]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<h2>To judge the figures</h2><ul>{items}</ul>" if items else ""
