"""The progress bar that every scenario shows, on standard error so that output can be piped.

    with progress() as bar:
        task = bar.add_task("hedged", total=2000)
        bar.advance(task)

May import: nothing of Tradewind.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)


def progress() -> Progress:
    """A bar per task; it stays when it is done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
