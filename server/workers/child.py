"""Where a child begins: `python -m server.workers.child DESCRIPTOR`, started by the parent only.

What holds always: signals for the parent that reach its whole group or service are none of the
child's; what it loads takes no time from those who serve.
May import: leisure; errand, by name.
"""

from __future__ import annotations

import signal
import sys

from server.workers import leisure


def main() -> None:
    """Begin."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.exit(leisure.load("server.workers.errand").begin(int(sys.argv[1])))


if __name__ == "__main__":
    main()
