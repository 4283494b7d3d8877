"""A result on the terminal and in files.

May import: record, page.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from bench.report.record import Cell, Result, Table


def finish(result: Result, json: Path | None = None, html: Path | None = None) -> None:
    """Show it, and write the files that were asked for. Raises PlotsUnavailable, OSError."""
    show(result)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    if html is not None:
        from bench.report.page import page  # matplotlib is slow to load

        html.write_text(page(result), encoding="utf-8")


def read(file: Path) -> Result:
    """What `finish` wrote as JSON. Raises msgspec.MsgspecError, OSError."""
    return msgspec.json.decode(file.read_bytes(), type=Result)


def show(result: Result, console: Console | None = None) -> None:
    """Tables and notes on the terminal."""
    console = console or Console()
    for table in result.tables:
        console.print(_rich(table))
    if result.summary:
        console.print(result.summary, highlight=False)
    for note in result.notes:
        console.print(f"· {note}", style="dim", highlight=False)


def shown(cell: Cell) -> str:
    """A cell as people read it: three or four figures that matter."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 1000:
        return f"{cell:,.0f}"
    if abs(cell) >= 100:
        return f"{cell:.0f}"
    return f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"


def _rich(table: Table) -> RichTable:
    out = RichTable(title=table.title, caption=table.note or None)
    for number, column in enumerate(table.columns):
        text = number == 0 or all(isinstance(row[number], str) for row in table.rows)
        out.add_column(column, justify="left" if text else "right", no_wrap=number == 0)
    for row in table.rows:
        out.add_row(*map(shown, row))
    return out
