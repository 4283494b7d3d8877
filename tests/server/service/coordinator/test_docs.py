"""docs/coordinator.md shows the table that the code runs."""

from __future__ import annotations

from pathlib import Path

from server.service.coordinator.machine import COMMANDS, TRANSITIONS, Answer, State

PAGE = Path(__file__).parents[4] / "docs" / "coordinator.md"


def row(state: State) -> str:
    command = COMMANDS.get(state)
    following = [TRANSITIONS[state].get(answer) for answer in Answer]
    cells = [
        f"`{state.value}`",
        "no" if state is State.BEGUN else "yes",
        "" if command is None else command.value,
        *("" if to is None else f"`{to.value}`" for to in following),
    ]
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def test_the_page_shows_the_table() -> None:
    table = "\n".join(map(row, State))
    assert table in PAGE.read_text()
