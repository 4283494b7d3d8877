"""A store under a steady load, in a process of its own.

    arrivals.py  the load: whose turn is when, and what is said
    ticker.py    a process that knocks when a message is due
    subject.py   the process that owns the store, or the bare file beside it, and measures

What holds always: messages are due at fixed times, whatever the store does (an open loop), and the
latency of each counts from then on: what waits because another one was slow is not left out.
"""
