"""Where a child begins: `python -m server.workers.child DESCRIPTOR [leisurely]`, started by the
parent only.

What holds always: signals for the parent that reach its whole group or service are none of the
child's; what it loads leisurely takes no time from those who serve.
May import: leisure; errand, by name.
"""

from __future__ import annotations

import importlib
import signal
import sys

from server.workers import leisure


def main() -> None:
    """Begin."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    load = leisure.load if "leisurely" in sys.argv[2:] else importlib.import_module
    sys.exit(load("server.workers.errand").begin(int(sys.argv[1])))


if __name__ == "__main__":
    main()
