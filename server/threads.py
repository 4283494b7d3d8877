"""How a process's threads take turns.

The event loop and the thread that commits share Python's lock. A thread that waits for it is given
it after the switch interval, 5 ms as Python comes: longer than a commit takes. With a tenth of that
a commit beside a loop that was busy half of the time took 4.6 and 4.5 ms at p99 in two runs, and
40 and 10 ms before (SQLite, 2,000 messages a second, other work on the cores).
May import: nothing of Tradewind.
"""

import sys

SWITCH = 0.0005
"""Seconds for which a thread that computes may keep the others waiting."""


def take_turns() -> None:
    """For this process, from now on."""
    sys.setswitchinterval(SWITCH)
