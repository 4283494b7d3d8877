"""MessageLog on RocksDB, a log-structured merge tree in a folder of this machine.

    layout.py    keys and values, pure
    options.py   bounds on memory and files, and RocksDB's settings
    folder.py    the folder, before it is opened
    errors.py    RocksDB's errors in our terms
    database.py  one open database: durable writes, scans, the version of its format
    writer.py    the writer thread's transactions, and what it does after a write that failed
    log.py       RocksDBLog

The Directory beside it is the SQLite store, as `directory.db` in the same folder: people and shops
are few, and asked for in many ways.

What holds always: a commit is synced to disk before it returns, and nobody reads it before that;
all writes come from one thread of one process, which holds the folder's lock.

One column family holds everything, told apart by the first byte of the key. With one for entries
and one for client ids each had a memory table of its own, and the write-ahead log would have to be
kept for whichever is written to disk last; sorted by their first byte they lie apart anyway.

rocksdict holds the interpreter's lock (the GIL) through everything but `flush_wal`, `flush` and
`close`. So a write is made without syncing, which copies it to the system, and `flush_wal` then
waits for the disk while the event loop goes on; a write that RocksDB wants to hold back is refused
and repeated (`no_slowdown`) instead of waiting with the lock held; and a read that misses the
caches holds everybody up for as long as the disk takes, which the caches are there to prevent.
"""

from storage.rocksdb.folder import prepare
from storage.rocksdb.log import RocksDBLog
from storage.rocksdb.writer import Writer

__all__ = ["RocksDBLog", "Writer", "prepare"]
