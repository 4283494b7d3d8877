"""What a scenario found out: a record, shown as a table, kept as JSON, drawn as HTML.

    result = Result(scenario="latency", profile="lossy-3", …, tables=(…,), plots=(…,))
    report.finish(result, json_file, html_file)

What holds always: the record holds all that the page shows, so a page can be drawn again from the
JSON (`tradewind bench report FILE`); a page is one file that loads nothing.
May import: nothing of Tradewind.
"""

from bench.report.output import finish, read, show
from bench.report.progress import progress
from bench.report.record import Cell, Machine, Mark, Plot, Result, Series, Table

__all__ = [
    "Cell",
    "Machine",
    "Mark",
    "Plot",
    "Result",
    "Series",
    "Table",
    "finish",
    "progress",
    "read",
    "show",
]
