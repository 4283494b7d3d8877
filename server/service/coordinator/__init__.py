"""What changes in several places at once: two-phase commit, locks, and its first use.

    machine.py       the protocol as a table, and the theory
    base.py          what it works with: transactions, participants, leases and locks
    coordinator.py   carries transactions through the table, finishes what the dead left
    locks.py         waiting for locks and holding them; locks of one process
    redis_locks.py   locks of a region
    redis_run.py     which run of which Redis a script is on
    load.py          which conversations take an agent's places; the load of one process
    redis_load.py    the load of a region
    places.py        what a load should be, by the log and the journal
    change.py        what a transaction about a place says
    assignment.py    assignment against capacity
    remote.py        locks and loads that another process of this host keeps
    assembly.py      puts them together

What holds always: docs/coordinator.md.
"""
