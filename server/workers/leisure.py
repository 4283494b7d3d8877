"""Imports that leave the processor to those who serve.

Loading all that a worker needs takes half a second of a core. In a rolling restart that is half a
second in which an older worker and its clients wait for each other on a small machine. Linux keeps
a nice value per thread, and everyone may raise it: the imports run in a thread of their own that
has a high one, and ends. (setpriority(2), "C library/kernel differences"; sched(7), autogroup.)

What holds always: the rest of the process runs as it was started; where the kernel knows no such
thing, the imports just run.
May import: nothing.
"""

from __future__ import annotations

import importlib
import os
import threading
from contextlib import suppress
from pathlib import Path
from types import ModuleType

NICE = 15
"""Of the thread that imports: about a thirtieth of what somebody with 0 gets beside it."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Where a session's place among others is set, if the kernel groups by session: nice values only
count within one then."""


def load(name: str) -> ModuleType:
    """This module, imported at leisure. Raises what the import raises."""
    found: list[ModuleType] = []
    faults: list[BaseException] = []

    def quietly() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        try:
            found.append(importlib.import_module(name))
        except BaseException as error:
            faults.append(error)

    _step_back(NICE)
    thread = threading.Thread(target=quietly, name="import")
    thread.start()
    thread.join()
    _step_back(0)
    if faults:
        raise faults[0]
    return found[0]


def _step_back(nice: int) -> None:
    with suppress(OSError):
        AUTOGROUP.write_text(str(nice))
