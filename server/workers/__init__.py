"""Several processes on one port: `tradewind serve --workers N`.

    parent ── holds the sockets, steers packets, starts and replaces the others; serves nobody
      ├─ store   the database, the bus's exchange, the control socket
      ├─ worker  sessions, like a server of one process, but with the store's log and bus
      └─ worker  …

    channel.py  what parent and child tell each other
    post.py     one child, and its place, which is never empty for long
    parent.py   the parent: start, replace, roll, leave
    lock.py     one parent per data folder, and how the command line finds it
    child.py    where a child begins, at leisure (leisure.py), and then its errand (errand.py):
                one of the next two
    store.py    the store process
    worker.py   a worker

What holds always: no packet or connection is refused because a process is missing: the sockets stay
open and what arrives waits; a child ends when its parent has gone.
"""
